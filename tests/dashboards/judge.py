"""Holds whole dashboards against what they must show: every panel has an expectation, its unit is right, its values are true."""
from dashboards import boards


def judge_panel(panel, answers, truth, expected):
    """Differences as text."""
    unit, check = expected
    shown = panel["fieldConfig"]["defaults"]["unit"]
    if shown != unit:
        return [f"unit is {shown}, values are {unit}"]
    try:
        return check(panel, answers, truth)
    except (LookupError, TypeError, ValueError, ZeroDivisionError) as error:  # an answer of another shape
        return [f"cannot be read: {error!r}"]


def judge(board, answer, truth, expectations):
    """Differences of all panels as text; `answer` gives a panel's answers."""
    problems = []
    titles = [panel["title"] for panel in boards.panels(board)]
    problems += [f"'{title}' has no expectation" for title in titles if title not in expectations]
    problems += [f"'{title}' is expected and not there" for title in expectations if title not in titles]
    for panel in boards.panels(board):
        if panel["title"] in expectations:
            problems += [f"'{panel['title']}': {p}" for p in judge_panel(panel, answer(panel), truth, expectations[panel["title"]])]
    return problems
