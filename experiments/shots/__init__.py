"""What estimates from shots say of themselves, and what each way of measuring costs."""
