# A thin layer over CMake. `make demo` and `make test` work from a fresh checkout; everything they make lies in .venv,
# build* and out, and `make clean` removes it.
#
#   make demo                 build, install into .venv, reweight alanine dipeptide from the trained flow (no Torch)
#   make test [SANITIZE=1]    build everything, training included, and run every test (under ASan and UBSan)
#   make races                a thousand Contexts in each of two threads, under ThreadSanitizer
#   make bench                every figure that the README claims, in an environment of its own
#   make format | docs | clean
#
# PYTHON=... chooses the interpreter; OPENMM_DIR=... an OpenMM other than the one from PyPI; JOBS=... the processes.

PYTHON ?= python3
JOBS ?= $(shell nproc)
VENV := .venv
BUILD := build$(if $(SANITIZE),-sanitize)
CMAKE_OPTIONS = -DPython_EXECUTABLE=$(CURDIR)/$(VENV)/bin/python $(if $(OPENMM_DIR),-DOPENMM_DIR=$(OPENMM_DIR))
PACKAGES := g++ cmake make python3-dev python3-venv librandom123-dev nlohmann-json3-dev zlib1g-dev
SOURCES = $(shell git ls-files '*.h' '*.c' '*.cpp' '*.cc')
export PYTHON
MAKEFLAGS += --no-print-directory

.PHONY: demo installed test races bench format docs clean packages

demo: installed
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" examples/alanine-dipeptide/demo out

# openmm-flow in the virtual environment; training too where TRAINING is ON.
TRAINING := OFF
installed: packages
	devtools/environment.sh $(VENV) build runtime $(if $(filter ON,$(TRAINING)),training)
	cmake -S . -B $(BUILD) $(CMAKE_OPTIONS) -DOPENMMFLOW_BUILD_TESTS=OFF -DOPENMMFLOW_BUILD_TRAINING=$(TRAINING) \
		 -DOPENMMFLOW_BUILD_WRAPPERS=OFF
	cmake --build $(BUILD) -j $(JOBS)
	cmake --build $(BUILD) --target install PythonInstall

test: PACKAGES += libgtest-dev doxygen gcc gfortran
test: packages
	devtools/environment.sh $(VENV) build runtime test training
	cmake -S . -B $(BUILD) $(CMAKE_OPTIONS) -DOPENMMFLOW_BUILD_TESTS=ON -DOPENMMFLOW_BUILD_TRAINING=ON \
		 -DOPENMMFLOW_BUILD_WRAPPERS=ON \
		 -DOPENMMFLOW_SANITIZE=$(if $(SANITIZE),ON,OFF) -DOPENMMFLOW_UNITY=$(if $(SANITIZE),OFF,ON)
	cmake --build $(BUILD) -j $(JOBS)
	cd $(BUILD) && ctest --output-on-failure -j $(JOBS)

# OpenMM is not instrumented: what is reported is of our own code.
races: PACKAGES += libgtest-dev
races: packages
	devtools/environment.sh $(VENV) build runtime
	cmake -S . -B build-races $(CMAKE_OPTIONS) -DOPENMMFLOW_BUILD_TESTS=ON -DOPENMMFLOW_BUILD_TRAINING=OFF \
		 -DOPENMMFLOW_BUILD_WRAPPERS=OFF -DOPENMMFLOW_BUILD_PYTHON=OFF -DOPENMMFLOW_SANITIZE=thread
	cmake --build build-races -j $(JOBS) --target TestContextsInThreads OpenMMFlowReference OpenMMFlowCPU
	cd build-races && ctest --output-on-failure -R ContextsInThreads

bench: TRAINING := ON
bench: installed
	devtools/environment.sh .venv-bench bench
	$(MAKE) -C benchmarks PYTHON=$(CURDIR)/$(VENV)/bin/python TORCH_PYTHON=$(CURDIR)/.venv-bench/bin/python

format: PACKAGES := clang-format
format: packages
	devtools/environment.sh $(VENV) test
	clang-format -i $(SOURCES)
	$(VENV)/bin/ruff format
	$(VENV)/bin/ruff check --fix

docs: PACKAGES := doxygen
docs: packages
	mkdir -p build/docs
	VERSION=$$(cat VERSION) doxygen docs/Doxyfile
	@echo "build/docs/html/index.html"

clean:
	rm -rf .venv* build build-* out dist

packages:
	devtools/debian-packages.sh $(PACKAGES)
