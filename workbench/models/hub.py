"""Downloads from the Hub with its own client (cached, resumed, with progress), and its errors in one line.

An address is `owner/name` or `owner/name@revision`, where a revision is a commit, a tag or a branch.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants, errors

from workbench import files

ADDRESS = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(@[\w.-]+)?", re.ASCII)

TOKENIZER = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"
"""Wan2.1's VAE, which is the published models' tokenizer; this copy is not gated."""


def is_address(name: str) -> bool:
    """Whether `name` is to be looked for on the Hub: it reads as an address, and its owner is no folder here."""
    return bool(ADDRESS.fullmatch(name)) and not Path(name).parent.is_dir()


def name_of(address: str) -> str:
    """The repository's name, without owner and revision."""
    return address.partition("@")[0].partition("/")[2]


def fetch(address: str, patterns: Sequence[str]) -> Path:
    """Download the files that match `patterns`; returns their folder, whose name is the commit.

    Without a network the files of an earlier download are returned. Raises ValueError, in one line, for an address that
    is gated or not there, and OSError where the network or the disk is the matter.
    """
    repo, _, revision = address.partition("@")
    try:
        with files.explain_full_disk(constants.HF_HUB_CACHE):
            folder = Path(
                huggingface_hub.snapshot_download(repo, revision=revision or None, allow_patterns=list(patterns))
            )
    except errors.GatedRepoError as error:
        raise ValueError(_gated(repo)) from error
    except errors.RepositoryNotFoundError as error:
        raise ValueError(
            f"{repo} is not on the Hub, or private: check the name, or run `hf auth login`; "
            "a folder or file of that name is not here either"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ValueError(f"{repo} has no revision {revision!r}: leave it out, or name a commit of it") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, errors.HTTPError) as error:
        status = _status(error)
        if status in (401, 403):
            raise ValueError(_gated(repo)) from error
        raise OSError(_unreachable(repo, status)) from error
    if not folder.is_dir():
        raise ValueError(f"{repo} holds no {' or '.join(patterns)}: is it a Cosmos Policy checkpoint?")
    return folder


def _status(error: BaseException | None) -> int | None:
    """The Hub's answer that led to an error, if it was one."""
    while error is not None and getattr(error, "response", None) is None:
        error = error.__cause__
    return error and error.response.status_code


def _gated(repo: str) -> str:
    where = f"{constants.ENDPOINT}/{repo}"
    return f"{repo} is gated: accept its terms at {where}, then run `hf auth login` with that account"


def _unreachable(repo: str, status: int | None) -> str:
    if constants.HF_HUB_OFFLINE:
        return f"{repo} has not been downloaded, and HF_HUB_OFFLINE is set: unset it, or name a folder or file"
    why = f"the Hub answers {status}" if status else "the Hub cannot be reached"
    return f"{repo} has not been downloaded whole, and {why}: the same command continues, or name a folder or file"
