"""The page about a network and its data: its parts, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastbp._base import arguments
from fastbp._base.names import line
from fastbp._explain import about_answers, about_learning, about_rows
from fastbp._explain.fragments import counted, note, number, paragraph, table, wide
from fastbp._explain.page import Section, page
from fastbp._explain.subject import Subject, Topic
from fastbp.exceptions import BusyError, Error

LONGEST_TITLE = 200  # characters


def what_it_is(subject: Subject) -> str:
    """Return the layers, how they are trained, and how good the network is."""
    facts = paragraph(_data_facts(subject))
    if not subject.is_finite:
        facts += note("Some parameters are not numbers: what is computed from all of them is left out.")
    return facts + wide(subject.net.summary()._repr_html_(), "Layers and settings") + _figures(subject)


def _data_facts(subject: Subject) -> str:
    """Return the sizes of the data in words."""
    n, n_in, n_out = len(subject.data.y), subject.layers[0].n_in, subject.layers[-1].n_out
    held_out = "" if subject.held_out is None else f", and {counted(len(subject.held_out.y), 'row')} held out"
    return (
        f"The network has {counted(n_in, 'input')}, {counted(n_out, 'output')} and "
        f"{counted(subject.net.n_parameters, 'parameter')}. "
        f"This page is about what it does with {counted(n, 'row')} of data{held_out}."
    )


def _figures(subject: Subject) -> str:
    """Return the table of loss and metrics, as `Network.evaluate` measures them."""
    metrics = list(subject.net.loss.metrics[:2])
    data, held_out = subject.data, subject.held_out
    columns = [subject.net.evaluate(data.X, data.y, metrics, sample_weight=data.w)]
    if held_out is not None:
        columns.append(subject.net.evaluate(held_out.X, held_out.y, metrics))
    head = ["measure", f"these {counted(len(data.y), 'row')}"]
    head += ["held out"] * (held_out is not None)
    rows = [[name, *(number(column[name]) for column in columns)] for name in columns[0]]
    return table(head, rows, "Loss and metrics", left=(0,))


TOPICS: tuple[Topic, ...] = (
    Topic("network", "The network", what_it_is, lambda _: True),
    *about_learning.TOPICS,
    *about_rows.TOPICS,
    *about_answers.TOPICS,
)


def about(subject: Subject, *, title: str | None = None, progress: Callable[[str], Any] | None = None) -> str:
    """Return the page.

    Parameters
    ----------
    subject : Subject
    title : str, optional
    progress : callable, optional
        Called with the title of each part before it is made.

    Raises
    ------
    ParameterError
        The title is no string.
    BusyError
        Another thread is changing the network.
    """
    heading = "A network and its derivatives" if title is None else arguments.text("title", title)
    sections = []
    for topic in TOPICS:
        if topic.applies(subject):
            if progress is not None:
                progress(topic.title)
            sections.append(Section(topic.anchor, topic.title, _body(topic, subject)))
    return page(line(heading, LONGEST_TITLE), subject.diagnosis.verdict, sections)


def _body(topic: Topic, subject: Subject) -> str:
    """Return the HTML of a part; where fastbp cannot compute it for this network, the reason."""
    try:
        return topic.body(subject)
    except BusyError:  # it is being trained, so no part can be made
        raise
    except Error as error:
        return note(f"This part cannot be computed for this network: {line(error, 500)}")
