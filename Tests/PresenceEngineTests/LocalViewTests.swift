import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `What is told of local users` {
    private let alice: UserID
    private let phone: DeviceKey
    private let far: DeviceKey
    private let world: DeviceType

    init() throws {
        alice = try local("alice")
        phone = try device("alice")
        far = try device("alice", "org.presenced.bridge")
        world = try DeviceType(parsing: "world")
    }

    private func bench(from saved: PresenceEngine.Snapshot = .init()) throws -> PresenceBench {
        var configuration = PresenceEngine.Configuration()
        configuration.tellsLocalViews = true
        return try PresenceBench(configuration, from: saved)
    }

    private func views(_ effects: [PresenceEngine.Effect]) -> [LocalView] {
        effects.compactMap { if case .localViewed(alice, let view) = $0 { view } else { nil } }
    }

    @Test func `is nothing where nobody asked`() throws {
        var bench = try PresenceBench()
        bench.perform(.userKnown(alice))
        bench.perform(.statusChosen(phone, .online, text: "hi"))
        #expect(views(bench.effects).isEmpty && bench.engine.localViews.isEmpty)
    }

    @Test func `is each change once, with the user's own text`() throws {
        var bench = try bench()
        #expect(views(bench.perform(.userKnown(alice))) == [.visible(.offline, text: nil, by: .devices)])
        #expect(bench.perform(.userKnown(alice)).isEmpty)
        #expect(
            views(bench.perform(.statusChosen(phone, .online, text: "hi")))
                == [.visible(.online, text: "hi", by: .devices)])
        #expect(views(bench.perform(.deviceActed(phone))).isEmpty)
        #expect(views(bench.perform(.statusChosen(phone, .online, text: "hi"))).isEmpty)
        #expect(
            views(bench.perform(.statusChosen(phone, .busy, text: nil))) == [.visible(.busy, text: nil, by: .devices)])
        #expect(views(bench.perform(.statusChosen(phone, .hidden, text: "psst"))) == [.hidden])
        #expect(views(bench.perform(.statusChosen(phone, .hidden, text: "psst!"))).isEmpty)
        #expect(
            views(bench.perform(.statusChosen(phone, .offline, text: "x"))) == [
                .visible(.offline, text: nil, by: .devices)
            ])
        #expect(views(bench.perform(.userClosed(alice))) == [.closed])
        #expect(views(bench.perform(.userClosed(alice))).isEmpty)
        #expect(bench.engine.localViews.map(\.view) == [.closed])
    }

    @Test func `is no more of a closed account until the user is seen again`() throws {
        var bench = try bench()
        bench.perform(.deviceSeen(phone))
        #expect(views(bench.perform(.userClosed(alice))) == [.closed])
        #expect(views(bench.perform(.deviceRevoked(phone))).isEmpty)
        #expect(views(bench.perform(.userKnown(alice))).isEmpty && views(bench.pass(.hours(1))).isEmpty)
        #expect(views(bench.perform(.deviceShown(far, DeviceShowing(type: world, use: .inUse, text: nil)))).isEmpty)
        #expect(bench.engine.localViews.map(\.view) == [.closed])
        #expect(views(bench.perform(.deviceSeen(phone))) == [.visible(.online, text: nil, by: .devices)])
        // Where nobody asked for views, it is told all the same.
        var silent = try PresenceBench()
        silent.perform(.deviceSeen(phone))
        #expect(views(silent.perform(.userClosed(alice))) == [.closed])
        silent.perform(.deviceSeen(phone))
        #expect(views(silent.perform(.userClosed(alice))) == [.closed])
    }

    @Test func `tells devices of the user's own from the world`() throws {
        var bench = try bench()
        let showing = DeviceShowing(type: world, use: .inUse, text: "10,20")
        #expect(views(bench.perform(.deviceShown(far, showing))) == [.visible(.online, text: nil, by: .world)])
        #expect(views(bench.perform(.deviceSeen(phone))) == [.visible(.online, text: nil, by: .devices)])
        #expect(views(bench.pass(.minutes(1))) == [.visible(.online, text: nil, by: .world)])
        #expect(views(bench.perform(.deviceLost(far))) == [.visible(.offline, text: nil, by: .devices)])
        // A device that calls itself so is one, too.
        let report = DeviceReport(idleness: .active, type: world)
        #expect(views(bench.perform(.deviceReported(phone, report))) == [.visible(.online, text: nil, by: .world)])
    }

    @Test func `keeps what held somebody who stays busy without a device`() throws {
        for (key, basis) in [(far, LocalView.Basis.world), (phone, .devices)] {
            var bench = try bench()
            bench.perform(.statusChosen(phone, .busy, text: nil))
            bench.perform(.deviceShown(far, DeviceShowing(type: world, use: .inUse, text: nil)))
            bench.pass(.minutes(1))
            if key == phone { bench.perform(.deviceSeen(phone)) }
            bench.perform(.deviceRevoked(far))
            bench.pass(.minutes(1))
            #expect(bench.engine.localViews.map(\.view) == [.visible(.busy, text: nil, by: basis)])
        }
    }

    @Test func `after a restart does not say by what a user was visible before`() throws {
        var before = try bench()
        before.perform(.deviceShown(far, DeviceShowing(type: world, use: .inUse, text: "10,20")))
        var bench = try bench(from: before.saved)
        #expect(views(bench.effects) == [.visible(.online, text: nil, by: .memory)])
        #expect(views(bench.perform(.deviceSeen(phone))) == [.visible(.online, text: nil, by: .devices)])
        bench.pass(.minutes(1))
        #expect(bench.engine.localViews.map(\.view) == [.visible(.offline, text: nil, by: .devices)])
    }

    @Test func `after a restart says nothing of the world while devices of before are held`() throws {
        var before = try bench()
        before.perform(.deviceSeen(phone))
        var bench = try bench(from: before.saved)
        #expect(views(bench.perform(.deviceShown(far, DeviceShowing(type: world, use: .inUse, text: nil)))).isEmpty)
        #expect(views(bench.pass(.seconds(31))) == [.visible(.online, text: nil, by: .world)])
    }

    @Test func `agrees with what is asked, whatever happens`() throws {
        for seed in UInt64(1)...60 {
            var generator = SeededGenerator(seed: seed)
            var bench = try bench()
            var latest: [UserID: LocalView] = [:]
            let keys = try ["alice", "bob"].flatMap { user in try ["a", "b"].map { try device(user, $0) } }
            for _ in 0..<300 {
                guard let key = keys.randomElement(using: &generator) else { break }
                let count = bench.effects.count
                switch Int.random(in: 0..<8, using: &generator) {
                case 0:
                    let state = ChosenState.allCases.randomElement(using: &generator) ?? .online
                    bench.perform(
                        .statusChosen(key, state, text: [nil, "x", "y"].randomElement(using: &generator) ?? nil))
                case 1: bench.perform(.deviceSeen(key))
                case 2: bench.perform(.deviceRevoked(key))
                case 3: bench.perform(.deviceLost(key))
                case 4:
                    let use: DeviceShowing.Use = [.inUse, .idle, .usedNow].randomElement(using: &generator) ?? .idle
                    bench.perform(.deviceShown(key, DeviceShowing(type: world, use: use, text: "w")))
                case 5: bench.pass(.minutes(6))
                case 6: bench.perform(.overrideSet(key, PresenceOverride(state: .busy, until: bench.now + .minutes(3))))
                default: bench.pass(.seconds(20))
                }
                for case .localViewed(let user, let view) in bench.effects[count...] {
                    #expect(latest.updateValue(view, forKey: user) != view, "told twice, seed \(seed)")
                }
                for (user, view) in bench.engine.localViews { #expect(latest[user] == view, "seed \(seed)") }
                #expect(bench.engine.localViews.count == latest.count)
            }
        }
    }
}
