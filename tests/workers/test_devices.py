"""Which devices workers get: the real pynvml over pretend cards."""
# ruff: noqa: F811  (pytest fixtures are arguments named like the import)

import json
from dataclasses import asdict

import pytest

from runway_serve.workers.devices import Device, discover
from tests.fake_gpus import fake_gpus, gpu_uuid, mig_uuid  # noqa: F401
from tests.workers.discovery import PYNVML, ask, bindings, cpu_with_reason, uuids  # noqa: F401


class TestNvmlMissing:
    """Case 1 of the known failures."""

    @pytest.mark.parametrize("error", ["LibraryNotFound", "LibRmVersionMismatch"])
    def test_all_falls_back_to_the_cpu_and_says_why(self, bindings, error):
        env = bindings(f"{PYNVML}\ndef nvmlInit(): raise NVMLError_{error}")

        assert cpu_with_reason(ask(env)) == (
            f"no usable GPU: NVML cannot start: NVMLError_{error}; running on the CPU"
        )
        assert ask(env, "0")["error"] == (
            f"no usable GPU: NVML cannot start: NVMLError_{error}; use --gpus none for CPU"
        )

    @pytest.mark.parametrize(
        ("code", "reason"), [(9, "Driver Not Loaded"), (18, "version mismatch"), (999, "Unknown")]
    )
    def test_the_reason_is_what_nvml_says(self, fake_gpus, code, reason):
        env = fake_gpus(4, init_error=code)

        assert reason in cpu_with_reason(ask(env))
        assert reason in ask(env, "0")["error"]

    def test_bindings_that_are_not_installed(self, bindings):
        env = bindings("raise ImportError")

        assert "nvidia-ml-py is missing" in cpu_with_reason(ask(env))

    def test_nvml_that_cannot_count(self, fake_gpus):
        assert "NVML cannot count GPUs: Not Supported" in cpu_with_reason(
            ask(fake_gpus(2, fail="count"))
        )

    def test_a_machine_without_cards(self, fake_gpus):
        env = fake_gpus(0)

        assert "NVML lists none" in cpu_with_reason(ask(env))
        assert "'0' fits none or several of the 0 GPUs" in ask(env, "0")["error"]

    def test_cpu_workers_counts_the_cpu_devices(self, fake_gpus):
        assert len(ask(fake_gpus(0), cpu_workers=3)["devices"]) == 3

    def test_none_does_not_ask_nvml(self):
        found = discover("none", cpu_workers=2)

        assert [device.kind for device in found.devices] == ["cpu", "cpu"]
        assert found.notes == ()


class TestVisibleSet:
    """Cases 2 and 3 of the known failures."""

    @pytest.mark.parametrize(
        ("visible", "expected"),
        [
            (None, [0, 1, 2, 3]),
            ("3,1", [3, 1]),
            (" 2 , 0 ", [2, 0]),
            ("1,", [1]),
            (gpu_uuid(2), [2]),
            ("GPU-c0de0003,GPU-c0de0000", [3, 0]),
            ("GPU-c0de0003,1", [3, 1]),
        ],
    )
    def test_all_means_the_visible_cards_in_their_order(self, fake_gpus, visible, expected):
        answer = ask(fake_gpus(4), visible=visible)

        assert uuids(answer) == [gpu_uuid(index) for index in expected]
        assert [device["index"] for device in answer["devices"]] == expected
        assert answer["notes"] == []

    @pytest.mark.parametrize("visible", ["", "-1", " "])
    def test_an_empty_set_hides_every_card(self, fake_gpus, visible):
        env = fake_gpus(4)

        assert "hides every GPU" in cpu_with_reason(ask(env, visible=visible))
        assert "hides every GPU" in ask(env, "0", visible=visible)["error"]

    @pytest.mark.parametrize(
        ("visible", "expected", "ends_at"),
        [
            ("2,7,1", [2], "7"),
            ("2,-1,1", [2], "-1"),
            ("1,1,0", [1], "1"),
            ("1,GPU-c0de0001,0", [1], "GPU-c0de0001"),
            ("0,GPU-deadbeef,1", [0], "GPU-deadbeef"),
            ("0,GPU-c0de,1", [0], "GPU-c0de"),
            ("0,,1", [0], ""),
            ("0,MIG-c0de0001,1", [0], "MIG-c0de0001"),
            ("0,1_0,1", [0], "1_0"),
        ],
    )
    def test_the_set_ends_at_an_entry_that_does_not_count(
        self, fake_gpus, visible, expected, ends_at
    ):
        answer = ask(fake_gpus(4), visible=visible)

        assert uuids(answer) == [gpu_uuid(index) for index in expected]
        (note,) = answer["notes"]
        assert f"ends before {ends_at!r}" in note

    def test_a_set_without_any_card_falls_back_and_names_the_entry(self, fake_gpus):
        assert "'NoDevFiles'" in cpu_with_reason(ask(fake_gpus(4), visible="NoDevFiles"))


class TestExplicitCards:
    @pytest.mark.parametrize(
        ("spec", "visible", "expected"),
        [
            ("0,2", None, [0, 2]),
            ("2,0", None, [2, 0]),
            ("1", "3,1", [1]),
            ("3,1", "0,1,2,3", [3, 1]),
            (gpu_uuid(2), None, [2]),
            ("GPU-c0de0002,0", None, [2, 0]),
            ("0,0", None, [0]),
        ],
    )
    def test_numbers_are_those_of_nvidia_smi_and_uuids_may_be_short(
        self, fake_gpus, spec, visible, expected
    ):
        answer = ask(fake_gpus(4), spec, visible=visible)

        assert uuids(answer) == [gpu_uuid(index) for index in expected]

    @pytest.mark.parametrize("spec", ["4", "0,9", "GPU-c0de", "GPU-deadbeef", "", "0,all", "-1"])
    def test_an_entry_that_is_no_card_is_refused_by_name(self, fake_gpus, spec):
        error = ask(fake_gpus(4), spec)["error"]

        assert f"{spec.split(',')[-1]!r} fits none or several of the 4 GPUs" in error
        assert error.endswith("; use --gpus none for CPU")

    def test_a_card_outside_the_visible_set_is_refused_by_name(self, fake_gpus):
        error = ask(fake_gpus(4), "1,2", visible="0,1")["error"]

        assert "'2' is not in CUDA_VISIBLE_DEVICES='0,1'" in error

    def test_workers_of_a_card_come_after_the_first_worker_of_every_card(self, fake_gpus):
        answer = ask(fake_gpus(2), workers_per_gpu=2)

        assert [device["index"] for device in answer["devices"]] == [0, 1, 0, 1]


class TestMig:
    def test_a_card_with_mig_gives_one_device_an_instance(self, fake_gpus):
        answer = ask(fake_gpus(3, mig="1:2"))

        assert uuids(answer) == [gpu_uuid(0), mig_uuid(1, 0), mig_uuid(1, 1), gpu_uuid(2)]
        assert [device["kind"] for device in answer["devices"]] == ["gpu", "mig", "mig", "gpu"]
        assert answer["devices"][1]["memory_bytes"] == 12 << 30

    @pytest.mark.parametrize(
        ("visible", "expected"),
        [
            (mig_uuid(1, 1), [mig_uuid(1, 1)]),
            ("1", [mig_uuid(1, 0), mig_uuid(1, 1)]),
            (gpu_uuid(1)[:12], [mig_uuid(1, 0), mig_uuid(1, 1)]),
            (f"{mig_uuid(1, 1)},0", [mig_uuid(1, 1), gpu_uuid(0)]),
        ],
    )
    def test_instances_can_be_made_visible(self, fake_gpus, visible, expected):
        assert uuids(ask(fake_gpus(2, mig="1:2"), visible=visible)) == expected

    def test_the_number_of_a_card_means_its_visible_instances(self, fake_gpus):
        env = fake_gpus(2, mig="1:3")

        assert uuids(ask(env, "1", visible=mig_uuid(1, 2))) == [mig_uuid(1, 2)]
        assert uuids(ask(env, mig_uuid(1, 0))) == [mig_uuid(1, 0)]

    def test_a_beginning_that_fits_two_instances_is_refused(self, fake_gpus):
        assert "'MIG-c0de0001' fits" in ask(fake_gpus(2, mig="1:2"), "MIG-c0de0001")["error"]

    def test_mig_without_instances_cannot_be_used(self, fake_gpus):
        answer = ask(fake_gpus(2, mig="1:0"))

        assert uuids(answer) == [gpu_uuid(0)]
        assert answer["notes"] == ["GPU 1 is skipped: MIG is on and it has no MIG instance"]


class TestBrokenCards:
    def test_a_lost_card_is_skipped_and_the_others_keep_their_numbers(self, fake_gpus):
        answer = ask(fake_gpus(3, lost=1))

        assert [device["index"] for device in answer["devices"]] == [0, 2]
        assert answer["notes"] == ["GPU 1 is skipped: GPU is lost"]

    @pytest.mark.parametrize("visible", ["1,2", f"{gpu_uuid(1)},{gpu_uuid(2)}"])
    def test_a_lost_card_does_not_hide_those_behind_it(self, fake_gpus, visible):
        answer = ask(fake_gpus(3, lost=1), visible=visible)

        assert uuids(answer) == [gpu_uuid(2)]
        assert len(answer["notes"]) == 1

    def test_no_card_but_lost_ones(self, fake_gpus):
        env = fake_gpus(2, lost="0,1")

        assert "GPU 0 is skipped: GPU is lost; GPU 1 is" in cpu_with_reason(ask(env))
        assert "GPU 1 is skipped: GPU is lost" in ask(env, "1")["error"]

    def test_one_lost_card_of_two_named_ones_is_skipped(self, fake_gpus):
        assert uuids(ask(fake_gpus(2, lost=1), "0,1")) == [gpu_uuid(0)]


@pytest.mark.parametrize("counts", [{"cpu_workers": 0}, {"workers_per_gpu": 0}])
def test_a_count_below_one_is_refused(counts):
    with pytest.raises(ValueError, match="at least 1"):
        discover("none", **counts)


class TestDevice:
    GPU = Device("gpu", 0, "GPU-1a2b3c4d-1111-2222-3333-444455556666", "NVIDIA X", 1 << 30)
    CPU = Device("cpu", None, None, "CPU", None)

    def test_a_gpu_worker_sees_one_card_by_uuid(self):
        assert self.GPU.environ() == {
            "CUDA_VISIBLE_DEVICES": "GPU-1a2b3c4d-1111-2222-3333-444455556666",
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "GPU": "1",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        }

    def test_a_cpu_worker_sees_no_card(self):
        assert self.CPU.environ() == {"CUDA_VISIBLE_DEVICES": ""}

    def test_labels_are_short(self):
        assert self.GPU.label == "GPU-1a2b3c4d (NVIDIA X, index 0)"
        assert self.CPU.label == "cpu"

    def test_labels_of_instances_differ(self):
        labels = {Device("mig", 1, mig_uuid(1, slot), "A100 MIG", None).label for slot in (0, 1)}

        assert len(labels) == 2

    def test_a_device_survives_the_way_over_json(self):
        assert Device(**json.loads(json.dumps(asdict(self.GPU)))) == self.GPU
