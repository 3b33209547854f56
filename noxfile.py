"""Sessions: `nox` runs lint, types and tests; `nox -s NAME` one of them.

Each makes its own environment, so that it works on a fresh machine.
"""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

PARALLEL = ("-n", "auto", "--dist", "loadfile")
"""A page's examples share their names, so a file stays in one process."""


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check type hints."""
    session.install("-e", ".[experiments,test,dev]")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run laws, oracles, experiments in miniature, and every example of the documents."""
    session.install("-e", ".[experiments,test]")
    session.run("pytest", *PARALLEL, *session.posargs)


@nox.session
def newest(session: nox.Session) -> None:
    """Run the whole suite on the newest torch that is to be had."""
    session.install("--upgrade", "--upgrade-strategy", "eager", "-e", ".[experiments,test]")
    session.run("pytest", *PARALLEL, *session.posargs)


@nox.session
def deep(session: nox.Session) -> None:
    """Draw thousands of new examples for every law; takes hours."""
    session.install("-e", ".[experiments,test]")
    session.run(
        "pytest",
        *PARALLEL,
        "tests/laws",
        "tests/evolution",
        "tests/pauli",
        *session.posargs,
        env={"HYPOTHESIS_PROFILE": "deep"},
    )


@nox.session
def peers(session: nox.Session) -> None:
    """Compare circuits, noisy ones, programs that decide and training; convert them."""
    session.install("-e", ".[experiments,test,peers]")
    parts = (
        "", "_noise", "_qasm", "_convert", "_codes", "_optim", "_learn", "_chemistry", "_device",
        "_sharded",
    )  # fmt: skip
    files = [f"tests/test_peers{part}.py" for part in parts]
    pages = "docs/other-libraries.md", "docs/pennylane-device.md"
    session.run("pytest", *files, *pages, *session.posargs)
    for device in ("quilt.qubit", "quilt.mixed"):
        for shots in ("None", "10000"):
            session.run("pl-device-test", "--device", device, "--shots", shots, "--skip-ops")


@nox.session
def mutation(session: nox.Session) -> None:
    """Plant mistakes in the library and count those that the tests notice; takes an hour."""
    session.install("-e", ".[test]", "cosmic-ray>=8.3")
    session.run("python", "tests/tools/mutation.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documents; a warning is an error."""
    session.install("-e", ".[docs,learn,plot,test]")  # rooms that need an extra
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def experiments(session: nox.Session) -> None:
    """Run the experiments; arguments go to the classifier, `nox -s experiments -- --quick`."""
    session.install("-e", ".[experiments]")
    session.run("python", "-m", "experiments.vqc", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure this library against the installed peers."""
    session.install("-e", ".[experiments,peers]")
    session.run("python", "-m", "experiments.bench", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel and the source distribution, and import what was built."""
    out = Path(session.create_tmp()) / "dist"
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(out))
    session.install(*map(str, out.glob("*.whl")))
    session.run("python", "-c", "import quilt_func; print(quilt_func.__version__)")
