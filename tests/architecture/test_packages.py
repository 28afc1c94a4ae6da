"""Our packages have common names: another distribution that ships one of them is named before it does harm."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.packages import ForeignPackage, check_packages


def install(site: Path, distribution: str, *packages: str) -> None:
    """Lay down what pip leaves of a distribution: its metadata and the list of its files."""
    info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    files = [f"{package}/__init__.py,," for package in packages]
    (info / "RECORD").write_text("\n".join([*files, f"{info.name}/METADATA,,", f"{info.name}/RECORD,,"]) + "\n")


def test_an_environment_with_ours_alone_is_accepted():
    check_packages()


@pytest.mark.parametrize("package", ["agents", "schemas", "streams"])
def test_a_foreign_distribution_with_a_package_of_our_name_is_named(package, tmp_path, monkeypatch):
    install(tmp_path, "foreign-kit", "kit", package)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ForeignPackage) as refused:
        check_packages()
    expected = f"foreign-kit also installs a package called {package}: give bounceline its own .venv"
    assert expected == str(refused.value)


def test_ours_as_an_installed_wheel_and_strangers_with_other_names_are_accepted(tmp_path, monkeypatch):
    install(tmp_path, "bounceline", "agents", "schemas", "streams")
    install(tmp_path, "foreign-kit", "kit", "agentskit")
    monkeypatch.syspath_prepend(tmp_path)
    check_packages()


def test_a_foreign_package_in_place_of_ours_is_named_before_it_is_imported(tmp_path):
    foreign = tmp_path / "agents" / "__init__.py"
    foreign.parent.mkdir()
    foreign.write_text("raise RuntimeError('imported')")
    shadowed = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-P", "-m", "streams", "--version"]
    run = subprocess.run(command, env=shadowed, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.stderr == f"bounceline: the package agents at {foreign} is not ours: give bounceline its own .venv\n"
    assert run.returncode == 1
