"""Which price a request has at RunBlob: it goes by duration, and perhaps by the image."""

from jobs.provider import GenerationRequest, Kind


def kind_of(request: GenerationRequest) -> Kind:
    """Name the price kind of a request."""
    return Kind("runblob", "sora", request.duration, request.image is not None)
