# Thin: each target is a line or two that one could type. Everything happens in dvc.yaml.
VENV ?= .venv
DATA ?= ../shared/data
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: install repro base test test-ops check audit bench real sweep table

install: $(VENV)/installed

$(VENV)/installed: requirements.txt requirements-cluster.txt requirements-dev.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --requirement requirements-dev.txt
	touch $@

repro: install
	dvc repro
	@$(MAKE) --no-print-directory table

table:
	@python -m stages.evaluate --table
	@echo "report: $(abspath metrics/report/index.html)"

# The nano base again, from nothing (two to three hours; goes on where it was stopped): pictures of its own, then the training.
base: install
	python -m stages.vlm.pretrain

# COVERAGE=1 prints the lines that no test reaches (half as long again).
test: install
	python -m pytest $(if $(COVERAGE),--cov --cov-report=term:skip-covered)

# Remotes, second machines, kills, queues: minutes, in clones of this repository with tiny parameters.
test-ops: install
	python -m pytest -m ops tests/ops

# Style and types, what pre-commit runs; and whether dvc.lock is of this tree.
check: install
	ruff check .
	ruff format --check .
	mypy
	python -m tests.lock

# Known vulnerabilities of what is installed, asked of the package index; fails too where the index does not answer.
audit: install
	pip-audit --local --strict

# Speed against peers, on one core: tests, then the figures in metrics/bench/.
bench: export OMP_NUM_THREADS = 1
bench: install
	python -m pytest -m benchmark tests/benchmarks
	python -m tests.benchmarks.anchor
	python -m tests.benchmarks.ingest
	python -m tests.benchmarks.verify
	python -m tests.benchmarks.predict

# Experiments over a grid, SWEEP_JOBS at once; goes on where it was stopped.
SWEEP_JOBS ?= 2
sweep: install
	python -m stages.sweep --jobs $(SWEEP_JOBS) --over finetune.lora.rank=4,32 --over finetune.learning_rate=0.001,0.004 \
	  --set finetune.max_steps=200 --set 'finetune.arms=[tuned]' --target evaluate

# The same DAG on real images in place: DATA is the folder that holds the datasets, SETS those to take. They are few: fewer steps.
SETS ?= chaos_ct_liver_slices ct_liver_dicom_seg cxr_covid_segmentations dsb2018_nuclei isic2017_dermoscopy kvasir_polyp_endoscopy \
  msd_hippocampus usgra_nerve_ultrasound wbc_cytology
real: install
	dvc exp run --name real -S finetune.max_steps=400 -S finetune.dense_weight=0.5 -S 'finetune.lora.targets=[vision,connector,text]' \
	  $(foreach name,ct cxr us micro,-S '~datasets.$(name)_phantom' -S '~phantom.cases.$(name)_phantom') \
	  $(foreach name,$(SETS),-S '+datasets.$(name)={card:data/cards/$(name).yaml,root:$(abspath $(DATA))/$(name)}')
	@$(MAKE) --no-print-directory table
