"""Ask the vulnerability service about every package of requirements.lock; fail when one is known to be bad.

A service that can't be reached is said in one line and fails nothing: the lock has not become worse by it.
"""

import json
import subprocess
import sys
from pathlib import Path


def main() -> int:
    lock = Path(__file__).parents[1] / "requirements.lock"
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes"]
    command += ["--disable-pip", "--progress-spinner", "off", "--format", "json"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except json.JSONDecodeError:  # it ended without an answer; its last line tells why
        packages = []
    answered = [package for package in packages if "vulns" in package]
    if not answered:
        print("pip-audit: NOT CHECKED, the vulnerability service could not be reached.")
        return 0
    bad = [package for package in answered if package["vulns"]]
    for package in bad:
        known = ", ".join(vulnerability["id"] for vulnerability in package["vulns"])
        print(f"pip-audit: {package['name']} {package['version']} has {known}")
    print(f"pip-audit: asked about {len(answered)} of {len(packages)} packages, {len(bad)} are vulnerable.")
    return 1 if bad else 0


sys.exit(main())
