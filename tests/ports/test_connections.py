"""An answer's head and body leave together."""

from webhook.ports.connections import AnswerInOne


class Wire:
    def __init__(self):
        self.sent = []

    def write(self, data):
        self.sent.append(data)

    def close(self):
        self.sent.append("closed")


def test_the_head_waits_for_the_body():
    wire = Wire()
    answer = AnswerInOne(wire)
    answer.write(b"head ")
    assert wire.sent == []
    answer.write(b"body")
    assert wire.sent == [b"head body"]


def test_what_follows_is_sent_at_once():
    wire = Wire()
    answer = AnswerInOne(wire)
    for part in (b"head ", b"body", b" more"):
        answer.write(part)
    assert wire.sent == [b"head body", b" more"]


def test_a_head_without_a_body_is_not_lost():
    wire = Wire()
    answer = AnswerInOne(wire)
    answer.write(b"head")
    answer.close()
    assert wire.sent == [b"head", "closed"]


def test_closing_before_the_head_sends_nothing():
    wire = Wire()
    AnswerInOne(wire).close()
    assert wire.sent == ["closed"]
