# presenced: build, run and test on a Debian machine with Swift installed.
#
#   make run     a server by itself, with three sample users, and a line of curl that works
#   make demo    two servers that federate, and recorded traffic of a real Synapse
#   make test    everything that is tested; says in its last lines what was skipped
#   make release an optimized build

SWIFT_FLAGS = --explicit-target-dependency-import-check error
BUILD = .build/debug
CACHE ?= $(or $(PRESENCED_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/presenced)

.PHONY: run demo test unit live release measure format lint protos set-up set-up-synapse clean

run: set-up
	swift build $(SWIFT_FLAGS) --product presenced
	$(BUILD)/presenced serve

demo: set-up
	swift build $(SWIFT_FLAGS) --product presenced
	$(BUILD)/presenced demo

test: set-up
	./Tests/run-tests

release: set-up
	swift build $(SWIFT_FLAGS) -c release

measure: release
	.build/release/presence-lab measure --presenced .build/release/presenced

lint:
	swift format lint --strict --recursive --configuration .swift-format Package.swift Sources Tests

format:
	swift format --in-place --recursive --configuration .swift-format Package.swift Sources Tests

# Swift code of the social messages, anew from Sources/SocialWire/Protos.
protos:
	./Sources/SocialWire/generate

set-up:
	@./Tests/set-up

clean:
	swift package clean
