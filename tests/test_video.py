import mediapy
import numpy as np
import pytest

from workbench.video import write_video


def test_a_video_comes_back_frame_by_frame_with_an_odd_edge_padded(tmp_path):
    path = tmp_path / "deep" / "ramp.mp4"
    write_video(path, (np.full((33, 48, 3), 12 * i, np.uint8) for i in range(20)), fps=10)
    video = mediapy.read_video(path)
    assert video.shape == (20, 34, 48, 3)
    assert video.metadata.fps == 10
    error = video.astype(int) - 12 * np.arange(20)[:, None, None, None]
    assert np.abs(error).max() <= 4  # H.264 at quality 18 on flat pictures
    assert [item.name for item in path.parent.iterdir()] == ["ramp.mp4"]


def test_the_file_is_h264_that_starts_to_play_before_it_is_loaded(tmp_path):
    write_video(tmp_path / "a.mp4", np.zeros((3, 16, 16, 3), np.uint8), fps=20)
    data = (tmp_path / "a.mp4").read_bytes()
    assert b"avc1" in data
    assert data.index(b"moov") < data.index(b"mdat")


def test_no_frame_is_an_error_and_a_failing_source_leaves_the_old_video(tmp_path):
    path = tmp_path / "a.mp4"
    with pytest.raises(ValueError, match="at least one frame"):
        write_video(path, [], fps=10)
    write_video(path, np.zeros((3, 16, 16, 3), np.uint8), fps=20)
    before = path.read_bytes()

    def breaks():
        yield np.zeros((16, 16, 3), np.uint8)
        raise RuntimeError("renderer gone")

    with pytest.raises(RuntimeError, match="renderer gone"):
        write_video(path, breaks(), fps=20)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
