"""AdmissionReview v1: JSON bytes to a Review, and a decision back to JSON bytes.

A body is read in one pass, pod included. Only when that fails is the envelope read alone, so that a review whose pod we cannot
read still gets an answer with its own uid.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from webhook.core.json_template import base64_text
from webhook.core.pod import Pod

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
# A JSON escape of half a surrogate pair, with any escaped backslashes and whole pairs consumed before it.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)

_UID_FIRST = re.compile(rb'"request"\s*:\s*\{\s*"uid"\s*:\s*"([^"\\]{1,128})"')  # where the API server writes it


class ReviewError(ValueError):
    """The body is no AdmissionReview v1 with a uid: there is nobody to answer to."""


class PodError(ValueError):
    """The review is whole and its pod is not; the text says what is wrong with `field`."""

    def __init__(self, problem: str, review: "Review", field: str = "request.object") -> None:
        super().__init__(problem)
        self.review, self.field = review, field


class GroupVersionKind(Struct, frozen=True):
    """A group, version and kind."""

    group: str | None = None
    version: str | None = None
    kind: str | None = None


class _Head(Struct, frozen=True):
    """The members of an admission request we read, but the object."""

    uid: str
    kind: GroupVersionKind | None = None
    subResource: str | None = None
    namespace: str | None = None
    operation: str | None = None
    dryRun: bool | None = None


class Request(_Head, frozen=True):
    """A request with its object left as it is."""

    object: Raw | UnsetType = UNSET


class PodRequest(_Head, frozen=True):
    """A request with its object read as a pod."""

    object: Pod | None = None


class _Envelope(Struct, frozen=True):
    apiVersion: str | None = None
    kind: str | None = None
    request: Request | None = None


class _PodEnvelope(Struct, frozen=True):
    apiVersion: str | None = None
    kind: str | None = None
    request: PodRequest | None = None


class Review(Struct, frozen=True):
    """One request of the API server. `pod` is None unless this is a pod's creation; `body` is what was sent, repaired."""

    uid: str
    namespace: str = ""
    dry_run: bool = False
    pod: Pod | None = None
    body: bytes = b""


_read_whole = msgspec.json.Decoder(_PodEnvelope).decode
_read_envelope = msgspec.json.Decoder(_Envelope).decode
_read_pod = msgspec.json.Decoder(Pod).decode
_encode = msgspec.json.Encoder().encode


def decode(body: bytes) -> Review:
    """Read a body.

    Raises:
        ReviewError: no JSON, no AdmissionReview v1, or no uid.
        PodError: the creation of a pod that is absent or cannot be read; carries the review.
    """
    try:
        envelope: _PodEnvelope | _Envelope = _read_whole(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _decode_in_parts(_repair(body))
    request = _checked(envelope)
    if not _creates_a_pod(request):
        return _review(request, None, body)
    if not isinstance(request.object, Pod):
        raise PodError("request.object is missing; want the pod that is created", _review(request, None, body))
    return _review(request, request.object, body)


def _decode_in_parts(body: bytes) -> Review:
    try:
        envelope = _read_envelope(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReviewError(f"the body is no AdmissionReview: {error}") from error
    except RecursionError as error:
        raise _too_deep(body) from error
    request = _checked(envelope)
    review = _review(request, None, body)
    if not _creates_a_pod(request):
        return review
    try:
        pod = _read_pod(request.object) if isinstance(request.object, Raw) else None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(request.object, error, review) from error
    except RecursionError as error:
        raise PodError("request.object is nested too deeply", review) from error
    if pod is None:
        raise PodError("request.object is missing; want the pod that is created", review)
    return msgspec.structs.replace(review, pod=pod)


class _AnyAnnotations(Struct, frozen=True):
    annotations: dict[str, Any] | None = None


class _AnyPod(Struct, frozen=True):
    metadata: _AnyAnnotations | None = None


def _unreadable(pod: Raw | Pod | UnsetType | None, error: Exception, review: Review) -> PodError:
    """Name the annotation that is no text, which YAML makes of `true` and `5`; else say what the decoder says."""
    general = PodError(f"request.object is no pod we can read: {error}", review)
    try:
        found = msgspec.json.decode(pod, type=_AnyPod) if isinstance(pod, Raw) else _AnyPod()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return general
    annotations = (found.metadata.annotations if found.metadata else None) or {}
    odd = min((key for key, value in annotations.items() if not isinstance(value, str | None)), default=None)
    if odd is None:
        return general
    value = annotations[odd]
    if isinstance(value, dict | list):
        return PodError("the value of an annotation is a text, and this is none; quote it", review, odd)
    written = msgspec.json.encode(value).decode()
    kind = "a boolean" if isinstance(value, bool) else "a number"
    return PodError(f'the value {written} is {kind}, and annotations are texts; quote it: "{written}"', review, odd)


def _too_deep(body: bytes) -> ReviewError | PodError:
    """Return the error for a body nested so deeply that not even the envelope can be read whole."""
    uid = _UID_FIRST.search(body)
    if uid is None:
        return ReviewError("the body is nested too deeply")
    return PodError("request is nested too deeply", Review(uid[1].decode("utf-8", "replace")))


def _checked(envelope: _Envelope | _PodEnvelope) -> Request | PodRequest:
    if envelope.kind != KIND or envelope.apiVersion != API_VERSION:
        raise ReviewError(
            f"the body is {envelope.apiVersion or 'without apiVersion'} {envelope.kind or 'without kind'}; want {API_VERSION} {KIND}"
        )
    if envelope.request is None or not envelope.request.uid:
        raise ReviewError("the AdmissionReview has no request.uid")
    return envelope.request


def _creates_a_pod(request: Request | PodRequest) -> bool:
    kind = request.kind
    is_pod = kind is None or (kind.kind == "Pod" and not kind.group)
    return is_pod and not request.subResource and request.operation in ("CREATE", None)


def _review(request: Request | PodRequest, pod: Pod | None, body: bytes) -> Review:
    return Review(request.uid, request.namespace or "", bool(request.dryRun), pod, body)


def _repair(body: bytes) -> bytes:
    """Replace escapes of half a surrogate pair by U+FFFD, as Go reads them; everything else stays."""
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], body)


def raw_containers(review: Review) -> Mapping[str, Sequence[Mapping[str, object]]]:
    """Return the pod's `containers` and `initContainers` with all their members, for those who copy from them."""
    spec = msgspec.json.decode(review.body)["request"]["object"].get("spec") or {}
    return {member: spec.get(member) or [] for member in ("containers", "initContainers")}


def allow(
    uid: str,
    *,
    patch: bytes | None = None,
    warnings: Sequence[str] = (),
    audit: Mapping[str, str] | None = None,
) -> bytes:
    """Return a review that admits, with the JSON patch (bytes of a list of operations) if there is one."""
    response: dict[str, object] = {"uid": uid, "allowed": True}
    if patch is not None:
        response["patchType"] = "JSONPatch"
        response["patch"] = Raw(base64_text(patch))
    return _whole(response, warnings, audit)


def refuse(
    uid: str,
    *,
    code: int,
    reason: str,
    message: str,
    warnings: Sequence[str] = (),
    audit: Mapping[str, str] | None = None,
) -> bytes:
    """Return a review that refuses: HTTP code and reason for clients, one line of message for people."""
    status = {"status": "Failure", "code": code, "reason": reason, "message": message}
    return _whole({"uid": uid, "allowed": False, "status": status}, warnings, audit)


def _whole(response: dict[str, object], warnings: Sequence[str], audit: Mapping[str, str] | None) -> bytes:
    if warnings:
        response["warnings"] = warnings
    if audit:
        response["auditAnnotations"] = audit
    return _encode({"apiVersion": API_VERSION, "kind": KIND, "response": response})
