# A thin front to the CMake presets (CMakePresets.json). Each target is complete on a bare
# Debian 12: it installs the packages it needs, or says which (scripts/install-deps.sh).
SHELL := /bin/bash
CMAKE_BUILD = cmake --build --preset

.PHONY: build image deb run demo test test-vm bench lint format clean deps deps-build

deps-build:
	@scripts/install-deps.sh build
deps:
	@scripts/install-deps.sh

build: deps-build  ## build/release/volumeter
	@cmake --preset release > /dev/null
	$(CMAKE_BUILD) release --target volumeter

image: ## the container image, with docker, podman or buildah
	@scripts/build-image.sh

deb: deps-build  ## build/release/volumeter_*.deb
	@cmake --preset release > /dev/null
	$(CMAKE_BUILD) release --target volumeter
	@cd build/release && cpack -G DEB

run: deps-build  ## the agent on this machine's kubelet, or on a demonstration node
	@cmake --preset release > /dev/null
	$(CMAKE_BUILD) release --target volumeter demo-node
	@build/release/tests/demo-node

demo: deps  ## the demonstration node, and a Prometheus and an Alertmanager that watch it
	@cmake --preset release > /dev/null
	$(CMAKE_BUILD) release --target volumeter demo-node
	@scripts/demo.sh

test: deps  ## every test, under sanitizers too
	@scripts/test.sh

test-vm: deps  ## the same test binaries on Debian's stock kernel in qemu
	@scripts/test-vm.sh

bench: deps  ## ratios against the peers, in one run
	@cmake --preset release > /dev/null
	$(CMAKE_BUILD) release
	@bench/run.sh

lint: deps  ## clang-format, clang-tidy and the rules of the tree
	@scripts/lint.sh

format: deps
	@git ls-files '*.cc' '*.h' | xargs clang-format -i

clean:
	rm -rf build
