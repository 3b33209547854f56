"""Questions of both tasks: right answers, in the data set's form, none held out and trained on."""

import re
from decimal import Decimal

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")
pytest.importorskip("optuna")

from nas_settings import setting

from experiments.nas import questions, train

NUMBER = r"-?\d+(?:\.\d+)?"


def answer(text):
    """Read a question again, by its words, and work it out."""
    p, q = (Decimal(n) for n in re.findall(rf"(?<![\d.]){NUMBER}", text.replace("+", "+ ")))
    if re.search(r"less than|Subtract", text):
        return q - p
    is_difference = re.search(r"minus|take away|[\d.] - ", text)
    return p - q if is_difference else p + q


@pytest.mark.parametrize(("digits", "decimals"), [(2, 0), (6, 5)])
def test_answers_are_right_and_written_shortly(digits, decimals):
    asked = questions.generate(400, 40, digits=digits, decimals=decimals)
    for question in (*asked.train, *asked.held_out):
        value = answer(question.text)
        assert Decimal(question.answer) == value
        assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", question.answer)
        assert question.answer != "-0"
    phrases = {re.sub(NUMBER, "", question.text) for question in asked.train}
    assert len(phrases) == len(questions.SUMS) + len(questions.DIFFERENCES)


def test_the_examples_of_the_data_set_are_in_its_form():
    for text, value in {
        "What is 472.95 minus -0.116?": "473.066",
        "Sum 0.059 and 162.": "162.059",
        "What is -0.0484 less than -2?": "-1.9516",
        "0.003 + -225": "-224.997",
        "Subtract -21 from -21.4.": "-0.4",
    }.items():
        assert questions.written(answer(text)) == value
        phrase = re.sub(rf"(?<![\d.]){NUMBER}", "#", text)
        forms = (*questions.SUMS, *questions.DIFFERENCES)
        assert phrase in {re.sub(r"\{.\}", "#", form) for form in forms}


def task(question):
    """What is asked, in whatever words: two numbers, in any order, and the answer."""
    numbers = re.findall(rf"(?<![\d.]){NUMBER}", question.text.replace("+", "+ "))
    return (*sorted(numbers), question.answer)


def test_held_out_questions_are_never_trained_on():
    asked = questions.generate(3000, 300, digits=2, decimals=0)
    assert (len(asked.train), len(asked.held_out)) == (3000, 300)
    texts = {question.text for question in (*asked.train, *asked.held_out)}
    assert len(texts) == 3300
    trained, held_out = (
        [task(q) for q in part if "+" in q.text] for part in (asked.train, asked.held_out)
    )
    assert not set(trained) & set(held_out)
    assert len(set(trained)) == len(trained)


def test_a_file_of_the_data_set_is_read_and_split(tmp_path):
    path = tmp_path / "arithmetic__add_or_sub.txt"
    lines = [line for i in range(30) for line in (f"What is {i} + 1?", str(i + 1))]
    path.write_text("\n".join([*lines, "What is 3 + 1?", "4"]) + "\n")
    asked = questions.read(path, 10)
    assert len(asked.train) == 20
    assert [q.answer for q in asked.held_out] == [str(i + 1) for i in range(20, 30)]
    with pytest.raises(ValueError, match="`path` must hold at least 40 questions, but got 30"):
        questions.read(path, 20)


def test_windows_begin_with_a_question():
    asked = questions.generate(50, 5, digits=2, decimals=1)
    text, starts = questions.windows(asked.train, asked.alphabet, 40)
    for start in starts.tolist():
        letters = "".join(asked.alphabet[i] for i in text[start : start + 41].tolist())
        assert any(letters.startswith(f"{q.text}\n"[:41]) for q in asked.train)


def test_short_questions_are_all_there_and_held_out_in_both_orders():
    asked = questions.short(300)
    texts = [question.text for question in (*asked.train, *asked.held_out)]
    assert len(asked.held_out) == 300
    sums = [question.text.split(" + ") for question in asked.held_out if "+" in question.text]
    left_out = sum(p != q for p, q in sums)  # the other order
    assert len(set(texts)) == len(texts) == 20_000 - left_out
    for question in (*asked.train, *asked.held_out):
        assert answer(question.text) == Decimal(question.answer)
    trained, held_out = (
        {task(q) for q in part if "+" in q.text} for part in (asked.train, asked.held_out)
    )
    assert not trained & held_out
    assert max(len(q.text) + len(q.answer) + 2 for q in asked.train) <= train.SHORT_BLOCK


def test_short_batches_ask_for_the_answers_alone():
    short = setting(train.SHORT, block=train.SHORT_BLOCK)
    given, following = train.drawer(short)(np.random.default_rng(0))
    alphabet = train.questions(short).alphabet
    for row, targets in zip(given, following, strict=True):
        line = "".join(alphabet[i] for i in row.tolist())
        text = line.partition("\n")[0]
        said = "".join(alphabet[i] for i in targets[targets >= 0].tolist())
        assert said == f"{answer(text)}\n"
        assert (targets[: len(text)] == -100).all()
        assert targets[len(text)] >= 0
