"""Volume files that are damaged, lie about themselves, or reach for other files: a clear error, and memory that stays bounded."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from stages.core.volume import VolumeError, read_stored, read_volume
from tests.nifti import nifti_bytes, write_nifti

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
MOST = 10**6


def voxels(kind: type = np.int16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (20, 16, 12)).astype(kind)


def save(path: Path, array: np.ndarray | None = None, compress: bool = False) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(voxels() if array is None else array), str(path), compress)
    return path


def refused(path: Path, kind: str, words: str, most: int = MOST) -> None:
    with pytest.raises(VolumeError, match=words) as caught:
        read_volume(path, most)
    assert caught.value.kind == kind


# Content against name


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "mha", "mhd", "nrrd", "nhdr"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"v.{ending}"
    path.write_bytes(b"")
    refused(path, "unreadable_image", "empty .0 bytes.")


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "mha", "nrrd"])
@pytest.mark.parametrize(
    ("start", "name"),
    [(b"\x89PNG\r\n\x1a\n" + b"\0" * 300, "a PNG picture"), (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"), (b"<html>404</html>", "HTML")],
)
def test_another_kind_of_file_under_a_volumes_name_is_named(tmp_path: Path, ending: str, start: bytes, name: str) -> None:
    path = tmp_path / f"v.{ending}"
    path.write_bytes(start)
    refused(path, "unreadable_image", name)


def test_a_real_png_under_a_volumes_name_is_not_read_as_a_slice(tmp_path: Path) -> None:
    save(tmp_path / "v.png", np.zeros((8, 8), np.uint8)).rename(tmp_path / "v.nii.gz")
    refused(tmp_path / "v.nii.gz", "unreadable_image", r"named \.nii\.gz.*PNG picture: rename it")


def test_a_gzip_stream_named_nii_says_so(tmp_path: Path) -> None:
    write_nifti(tmp_path / "v.nii.gz", voxels(), AFFINE).rename(tmp_path / "v.nii")
    refused(tmp_path / "v.nii", "unreadable_image", "a gzip stream")


def test_a_plain_nifti_named_nii_gz_is_read(tmp_path: Path) -> None:
    write_nifti(tmp_path / "v.nii", voxels(), AFFINE).rename(tmp_path / "v.nii.gz")
    assert read_volume(tmp_path / "v.nii.gz", MOST).array.shape == (12, 16, 20)


def test_an_ending_of_no_volume_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "v.png").write_bytes(b"\x89PNG")
    refused(tmp_path / "v.png", "unreadable_image", "ends like no volume")
    refused(tmp_path / "gone.nii", "unreadable_image", "not there")


def test_nifti_2_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "v.nii").write_bytes(struct.pack("<i", 540) + b"n+2\0" + b"\0" * 600)
    refused(tmp_path / "v.nii", "unreadable_image", "NIfTI-2.*convert it to NIfTI-1")


# Missing and damaged bytes


@pytest.mark.parametrize("kept", [0.999, 0.5, 0.1])
@pytest.mark.parametrize("ending", ["nii", "nii.gz", "mha", "nrrd", "zipped.mha", "zipped.nrrd"])
def test_a_truncated_volume_is_refused(tmp_path: Path, ending: str, kept: float) -> None:
    path = save(tmp_path / f"v.{ending}", compress="zipped" in ending or ending == "nii.gz")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    refused(path, "unreadable_image", "truncated|ITK cannot read it")


@pytest.mark.parametrize(("ending", "data"), [("mhd", "raw"), ("nhdr", "raw"), ("mhd", "zraw"), ("nhdr", "raw.gz")])
def test_a_short_or_missing_data_file_is_refused(tmp_path: Path, ending: str, data: str) -> None:
    path = save(tmp_path / f"v.{ending}", compress=data in ("zraw", "raw.gz"))
    part = tmp_path / f"v.{data}"
    part.write_bytes(part.read_bytes()[:-40])
    refused(path, "unreadable_image", "truncated|ITK cannot read it")
    part.unlink()
    refused(path, "unreadable_image", f"'v.{data}' is not there: fetch it and put it beside the header")


@pytest.mark.parametrize("ending", ["nii.gz", "mha", "nrrd"])
def test_one_flipped_bit_in_a_compressed_volume_is_found(tmp_path: Path, ending: str) -> None:
    path = save(tmp_path / f"v.{ending}", compress=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(bytes(content))
    refused(path, "unreadable_image", "truncated or damaged|ITK cannot read it")


def test_a_gzip_file_of_several_members_and_one_with_a_tail_are_read(tmp_path: Path) -> None:
    content = nifti_bytes(voxels(), AFFINE)
    expected = read_volume(write_nifti(tmp_path / "one.nii.gz", voxels(), AFFINE), MOST).array
    (tmp_path / "two.nii.gz").write_bytes(gzip.compress(content[:900]) + gzip.compress(content[900:]))
    (tmp_path / "tail.nii.gz").write_bytes(gzip.compress(content + b"\0" * 100))
    (tmp_path / "padded.nii.gz").write_bytes(gzip.compress(content) + b"\0" * 512)
    for name in ("two", "tail", "padded"):
        assert np.array_equal(read_volume(tmp_path / f"{name}.nii.gz", MOST).array, expected)


def test_scaled_values_are_read_as_the_header_scales_them(tmp_path: Path) -> None:
    content = bytearray(nifti_bytes(voxels(), AFFINE))
    struct.pack_into("<2f", content, 112, 2.0, -1000.0)
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(bytes(content)))
    plain = read_volume(write_nifti(tmp_path / "plain.nii.gz", voxels(), AFFINE), MOST).array
    assert np.array_equal(read_volume(tmp_path / "v.nii.gz", MOST).array, 2.0 * plain - 1000)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ending", ["nii", "nii.gz", "mha", "nrrd"])
def test_nan_and_infinity_are_counted_and_refused(tmp_path: Path, ending: str, bad: float) -> None:
    array = voxels(np.float32)
    array[3, 4, 5] = array[-1, -1, -1] = bad
    if ending.startswith("nii"):
        write_nifti(tmp_path / f"v.{ending}", array, AFFINE)
    else:
        save(tmp_path / f"v.{ending}", array)
    refused(tmp_path / f"v.{ending}", "not_finite", "2 voxels are NaN or infinite: export")


@pytest.mark.parametrize(
    ("ending", "stated", "lie"),
    [
        ("mha", b"ElementSpacing = 1 1 1", b"ElementSpacing = 0 1 1"),
        ("mha", b"ElementSpacing = 1 1 1", b"ElementSpacing = -1 1 1"),
        ("mha", b"ElementSpacing = 1 1 1", b"ElementSpacing = nan 1 1"),
        ("nrrd", b"(1,0,0) (0,1,0)", b"(0,0,0) (0,1,0)"),
    ],
)
def test_spacing_that_is_zero_or_negative_is_refused(tmp_path: Path, ending: str, stated: bytes, lie: bytes) -> None:
    path = save(tmp_path / f"v.{ending}")
    content = path.read_bytes()
    assert stated in content
    path.write_bytes(content.replace(stated, lie))
    refused(path, "bad_spacing", "spacing")


# Sizes


def bomb(declared: tuple[int, int, int], held: int) -> bytes:
    """A small NIfTI file that declares ``declared`` voxels of 2 bytes and inflates to ``held`` bytes of zeros."""
    header = bytearray(nifti_bytes(np.zeros((1, 1, 1), np.int16), AFFINE)[:352])
    struct.pack_into("<8h", header, 40, 3, *declared, 1, 1, 1, 1)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(bytes(header))]
    parts += [packer.compress(b"\0" * (1 << 20)) for _ in range(held >> 20)]
    return b"".join([*parts, packer.flush()])


def peak_mb_of(path: Path, most: int) -> tuple[str, float]:
    """Kind of the refusal, and how much the peak memory of a fresh process grew by reading."""
    code = (
        "import resource, sys\nfrom pathlib import Path\nimport SimpleITK\nfrom stages.core.volume import VolumeError, read_volume\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    read_volume(Path(sys.argv[1]), int(sys.argv[2]))\n    kind = 'read'\nexcept VolumeError as error:\n    kind = error.kind\n"
        "print(kind, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    said = subprocess.run([sys.executable, "-c", code, str(path), str(most)], capture_output=True, text=True, check=True).stdout.split()
    return said[0], float(said[1])


@pytest.mark.parametrize(
    ("declared", "held", "kind"),
    [
        ((3000, 3000, 3000), 1 << 20, "too_large"),  # 54 GB declared
        ((900, 1000, 1000), 1 << 20, "unreadable_image"),  # 1.8 GB within the limit, but far more than the file can hold
        ((8, 8, 8), 1 << 29, "too_large"),  # inflates to 512 MB behind a header of 1 kB
    ],
    ids=["declares too much", "declares more than it can hold", "inflates to more than it declares"],
)
def test_a_decompression_bomb_is_refused_in_bounded_memory(tmp_path: Path, declared: tuple[int, int, int], held: int, kind: str) -> None:
    path = tmp_path / "v.nii.gz"
    path.write_bytes(bomb(declared, held))
    found, grown_mb = peak_mb_of(path, 10**9)
    assert found == kind
    assert grown_mb < 60


@pytest.mark.parametrize("ending", ["mha", "nrrd"])
def test_a_small_header_of_a_huge_volume_is_refused_before_its_memory_is_taken(tmp_path: Path, ending: str) -> None:
    path = save(tmp_path / f"v.{ending}", compress=True)
    path.write_bytes(path.read_bytes().replace(b"12 16 20", b"900 900 900"))
    assert b"900 900 900" in path.read_bytes()
    refused(path, "too_large", "729000000 voxels", most=10**8)
    found, grown_mb = peak_mb_of(path, 10**9)
    assert found == "unreadable_image" and grown_mb < 60


# Other files


@pytest.mark.parametrize("name", ["../secret.raw", "/etc/hostname", "sub/../../secret.raw", "C:\\secret.raw"])
@pytest.mark.parametrize(("ending", "field"), [("mhd", "ElementDataFile = "), ("nhdr", "data file: ")])
def test_a_header_may_not_name_a_data_file_outside_its_folder(tmp_path: Path, ending: str, field: str, name: str) -> None:
    (tmp_path / "secret.raw").write_bytes(voxels().tobytes())
    (tmp_path / "in").mkdir()
    path = save(tmp_path / f"in/v.{ending}")
    path.write_text(path.read_text().replace(f"{field}v.raw", f"{field}{name}"))
    refused(path, "unsafe_path", "outside its own folder: refused")


def test_a_data_file_may_not_be_a_link_to_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = save(tmp_path / "in/v.mhd")
    (tmp_path / "in/v.raw").rename(tmp_path / "secret.raw")
    (tmp_path / "in/v.raw").symlink_to(tmp_path / "secret.raw")
    refused(path, "unsafe_path", "outside its own folder")


@pytest.mark.parametrize("name", ["LIST", "v%03d.raw 1 9 1"])
def test_a_header_of_several_data_files_is_refused_with_the_remedy(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / "v.mhd")
    path.write_text(path.read_text().replace("= v.raw", f"= {name}"))
    refused(path, "unreadable_image", "several data files.*write it as one file")


def test_a_nrrd_file_without_a_space_states_no_orientation(tmp_path: Path) -> None:
    path = save(tmp_path / "v.nrrd")
    assert read_stored(path, MOST).source_axes == "LPS"
    content = path.read_bytes()
    lines = [b"space: left-posterior-superior\n", b"space directions: (1,0,0) (0,1,0) (0,0,1)\n", b"space origin: (0,0,0)\n"]
    for line in lines:
        assert line in content
        content = content.replace(line, b"")
    path.write_bytes(content)
    assert read_stored(path, MOST).source_axes is None


def test_the_array_outlives_the_file_and_the_reader(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "v.nii", voxels(), AFFINE)
    array = read_volume(path, MOST).array
    path.unlink()
    others = [read_volume(save(tmp_path / f"{number}.nrrd"), MOST).array.sum() for number in range(5)]
    assert len(set(others)) == 1
    assert np.array_equal(array[:, ::-1, ::-1].transpose(2, 1, 0), voxels())
