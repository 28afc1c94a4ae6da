"""Commands about the operator's own rules."""

from pathlib import Path

import orjson
from cyclopts import App

from agents.classify.rows import Verdict
from agents.classify.rule_check import Change, Check, CheckedRow, Fault, check_rules
from streams.errors import Failed

app = App(name="rules", help="Check rules of your own before BOUNCELINE_RULES names them.", help_format="plaintext")


@app.command(name="test")
def check(file: Path, /, *, json: bool = False) -> None:
    """Check a rule file: what is wrong with it, what each of its examples is decided by, and what it changes.

    Its rows are tried before the built-in ones, as the worker does with BOUNCELINE_RULES. Ends with 0 if the file can
    be used, with 1 if something is wrong with it: then the faults come first.

    Parameters
    ----------
    file
        A rule file: rows of the same form as agents/classify/rules.toml, as many or as few as you like.
    json
        Show the outcome as one JSON object.

    """
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise Failed(f"{file} is not UTF-8") from error
    found = check_rules(text)
    for line in [orjson.dumps(_object(found)).decode()] if json else _lines(found):
        print(line)
    if found.faults:
        faults = "1 fault" if len(found.faults) == 1 else f"{len(found.faults)} faults"
        raise Failed(f"{file} has {faults} and can't be used")


def _lines(found: Check) -> list[str]:
    wide = max((len(row.row) for row in found.rows), default=0)
    lines = []
    # First, lest they are lost below hundreds of rows.
    for heading, told in (("Wrong:", found.faults), ("Look again, unless normalized reports say so:", found.doubts)):
        if told:
            lines += [heading]
            lines += [f"  {_place(one.line)}{one.row + ': ' if one.row else ''}{one.sentence}" for one in told]
            lines += [""] if found.rows else []
    lines += [f"{_place(row.line)}{row.row:{wide}}  {_said(row.says):16}  {_example(row)}" for row in found.rows]
    if found.changes:
        lines += ["", "With this file, the examples of these built-in rows are decided in another way:"]
        lines += [f"  {_changed(change)}" for change in sorted(found.changes, key=_counts_now, reverse=True)]
    return lines


def _place(line: int | None) -> str:
    return "" if line is None else f"line {line:<4} "


def _said(verdict: Verdict) -> str:
    return verdict.status or {"ignore": "ignored", "reset": "delivered", "lift": "resubscribed"}[verdict.effect]


def _example(row: CheckedRow) -> str:
    if row.example is None:
        return "example: no row"
    otherwise = "" if row.example.rule == row.row else f" ({_said(row.example)})"
    return f"example: {row.example.rule}{otherwise}"


def _counts_now(change: Change) -> bool:
    return change.was.effect == "ignore" and change.now.status is not None


def _changed(change: Change) -> str:
    warning = ": counts what was ignored!" if _counts_now(change) else ""
    return f"{change.row}  {_said(change.was)} -> {_said(change.now)}, by {change.now.rule}{warning}"


def _object(found: Check) -> dict[str, object]:
    return {
        "ok": not found.faults,
        "rows": [
            {"rule": row.row, "line": row.line, **_verdict(row.says), "example": row.example and _decided(row.example)}
            for row in found.rows
        ],
        "faults": [_fault(one) for one in found.faults],
        "doubts": [_fault(one) for one in found.doubts],
        "changes": [{"rule": one.row, "was": _verdict(one.was), "now": _decided(one.now)} for one in found.changes],
    }


def _fault(one: Fault) -> dict[str, object]:
    return {"rule": one.row, "line": one.line, "fault": one.sentence}


def _decided(verdict: Verdict) -> dict[str, object]:
    return {"rule": verdict.rule, **_verdict(verdict)}


def _verdict(verdict: Verdict) -> dict[str, object]:
    return {"status": verdict.status, "effect": verdict.effect}
