import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `A device of which others know` {
    private let alice: UserID
    private let phone: DeviceKey
    private let far: DeviceKey

    init() throws {
        alice = try local("alice")
        phone = try device("alice")
        far = try device("alice", "org.presenced.bridge")
    }

    private func showing(_ use: DeviceShowing.Use, _ text: String? = nil) throws -> DeviceShowing {
        DeviceShowing(type: try DeviceType(parsing: "world"), use: use, text: text)
    }

    @Test func `holds its user visible until it is said otherwise, and keeps nothing`() throws {
        var bench = try PresenceBench()
        bench.perform(.deviceShown(far, try showing(.inUse, "10,20 in main")))
        bench.pass(.hours(5))
        #expect(bench.presence(of: alice)?.state == .online)
        #expect(bench.presence(of: alice)?.statusText == "10,20 in main")
        #expect(bench.presence(of: alice)?.deviceType?.isWorld == true)
        bench.perform(.deviceShown(far, try showing(.idle)))
        #expect(bench.state(of: alice) == .unavailable)
        #expect(bench.presence(of: alice)?.statusText == nil)
        bench.pass(.hours(1))
        #expect(bench.state(of: alice) == .unavailable)
        bench.perform(.deviceRevoked(far))
        #expect(bench.state(of: alice) == .offline)
        #expect(!bench.effects.contains { if case .save(.deviceType) = $0 { true } else { false } })
        #expect(bench.engine.devices(of: alice, at: bench.now).isEmpty)
    }

    @Test func `is idle by time where its use is only known to have been`() throws {
        var bench = try PresenceBench()
        bench.perform(.deviceShown(far, try showing(.usedNow, "1,1")))
        bench.pass(.minutes(4))
        #expect(bench.state(of: alice) == .online)
        bench.pass(.minutes(2))
        #expect(bench.state(of: alice) == .unavailable && bench.presence(of: alice)?.statusText == "1,1")
        bench.perform(.deviceShown(far, try showing(.usedNow, "1,2")))
        #expect(bench.state(of: alice) == .online && bench.presence(of: alice)?.statusText == "1,2")
    }

    @Test func `gives its text only where the user chose none, and takes it along`() throws {
        var bench = try PresenceBench()
        bench.perform(.statusChosen(phone, .online, text: "at lunch"))
        bench.perform(.deviceShown(far, try showing(.inUse, "10,20")))
        #expect(bench.presence(of: alice)?.statusText == "at lunch")
        #expect(bench.engine.ownState(of: alice).effectiveText == "at lunch")
        bench.perform(.statusChosen(phone, .online, text: nil))
        #expect(bench.presence(of: alice)?.statusText == "10,20")
        #expect(bench.engine.ownState(of: alice).effectiveText == nil)
        // Who insists on no text has said so.
        bench.perform(.overrideSet(phone, PresenceOverride(state: .busy, text: .replaced(nil))))
        #expect(bench.presence(of: alice)?.statusText == nil)
        bench.perform(.overrideSet(phone, PresenceOverride(state: .busy)))
        #expect(bench.presence(of: alice)?.statusText == "10,20" && bench.state(of: alice) == .busy)
        bench.perform(.overrideSet(phone, nil))
        let stream = bench.listen(on: phone)
        bench.perform(.deviceRevoked(far))
        #expect(bench.state(of: alice) == .online && bench.presence(of: alice)?.statusText == nil)
        bench.perform(.streamClosed(stream))
    }

    @Test func `says nothing of who hides or is offline by choice`() throws {
        for state in [ChosenState.hidden, .offline] {
            var bench = try PresenceBench()
            bench.perform(.statusChosen(phone, state, text: nil))
            let version = bench.engine.version
            bench.perform(.deviceShown(far, try showing(.inUse, "10,20")))
            bench.perform(.deviceShown(far, try showing(.inUse, "10,21")))
            bench.perform(.deviceLost(far))
            #expect(bench.presence(of: alice)?.state == .offline && bench.presence(of: alice)?.statusText == nil)
            #expect(bench.engine.version == version)
        }
    }

    @Test func `that is lost leaves its user unknown here, and offline elsewhere`() throws {
        var bench = try PresenceBench()
        let (carol, room) = (try remote("carol"), try RoomID(parsing: "!r:here.example"))
        bench.gather([alice, try local("bob"), carol], in: room)
        bench.perform(.deviceShown(far, try showing(.inUse, "10,20")))
        let stream = bench.listen(on: try device("bob"))
        let position = bench.engine.changes(for: try local("bob"), after: nil).position
        let told = bench.perform(.deviceLost(far))
        #expect(told.contains(.wake(stream)))
        #expect(
            told.contains {
                if case .localPublished(alice, let presence, _) = $0 { presence.state == .offline } else { false }
            })
        #expect(bench.engine.knowledge(of: alice) == .unknown(.socialSideLost, since: bench.now))
        let seen = bench.engine.changes(for: try local("bob"), after: position).sightings
        #expect(seen.map(\.knowledge) == [.unknown(.socialSideLost, since: bench.now)])
        #expect(bench.engine.localCondition(of: alice, at: bench.now)?.unknownSince == bench.now)
        let since = bench.now
        bench.pass(.minutes(3))
        bench.perform(.deviceLost(far))
        #expect(bench.engine.knowledge(of: alice) == .unknown(.socialSideLost, since: since))
        // The social side says at last that they are gone.
        let known = bench.perform(.deviceRevoked(far))
        #expect(known.contains(.wake(stream)) && bench.state(of: alice) == .offline)
    }

    /// Whatever they do after that: nobody here may notice, and other servers have nothing to be told.
    @Test func `that is lost leaves them unknown who hide then, until it is known again`() throws {
        for state in [ChosenState.hidden, .offline] {
            var bench = try PresenceBench()
            bench.gather([alice, try local("bob"), try remote("carol")], in: try RoomID(parsing: "!r:here.example"))
            bench.perform(.deviceShown(far, try showing(.inUse, "10,20")))
            bench.perform(.deviceLost(far))
            let (since, version, count) = (bench.now, bench.engine.version, bench.effects.count)
            func isSilent(_ effects: ArraySlice<PresenceEngine.Effect>) -> Bool {
                !effects.contains { if case .localPublished(alice, _, _) = $0 { true } else { false } }
            }
            // The text of who is offline by choice is another matter: others see it.
            bench.perform(.statusChosen(phone, state, text: state == .hidden ? "secret" : nil))
            bench.pass(.minutes(2))
            bench.perform(.deviceSeen(phone))
            #expect(bench.engine.knowledge(of: alice) == .unknown(.socialSideLost, since: since))
            #expect(bench.engine.version == version && isSilent(bench.effects[count...]))
            bench.perform(.deviceRevoked(far))
            #expect(bench.state(of: alice) == .offline && bench.engine.version > version)
            #expect(isSilent(bench.effects[count...]))
        }
        // Whoever shows themselves again is seen by what they did meanwhile.
        var bench = try PresenceBench()
        bench.perform(.deviceShown(far, try showing(.inUse, "10,20")))
        bench.perform(.deviceLost(far))
        bench.perform(.statusChosen(phone, .hidden, text: nil))
        bench.perform(.statusChosen(phone, .online, text: nil))
        #expect(bench.state(of: alice) == .online)
        bench.pass(.minutes(1))
        #expect(bench.state(of: alice) == .offline)
    }

    @Test func `that is lost matters only while there is no other, until one comes`() throws {
        var bench = try PresenceBench()
        let stream = bench.listen(on: phone)
        bench.perform(.deviceShown(far, try showing(.inUse)))
        bench.perform(.deviceLost(far))
        #expect(bench.state(of: alice) == .online)
        bench.perform(.streamClosed(stream))
        bench.pass(.minutes(1))
        guard case .unknown(.socialSideLost, _)? = bench.engine.knowledge(of: alice) else {
            return #expect(Bool(false), "\(String(describing: bench.engine.knowledge(of: alice)))")
        }
        bench.perform(.deviceSeen(phone))
        #expect(bench.state(of: alice) == .online)
        bench.pass(.minutes(1))
        #expect(bench.state(of: alice) == .offline)
    }

    @Test func `does not survive a restart but for the moment that every device is held`() throws {
        var before = try PresenceBench()
        before.perform(.deviceShown(far, try showing(.inUse, "10,20")))
        var bench = try PresenceBench(from: before.saved, at: before.now)
        #expect(bench.state(of: alice) == .online)
        bench.pass(.seconds(31))
        #expect(bench.state(of: alice) == .offline && bench.presence(of: alice)?.statusText == nil)
        bench.perform(.deviceShown(far, try showing(.inUse, "10,21")))
        #expect(bench.presence(of: alice)?.statusText == "10,21")
    }

    @Test func `that makes room for others takes its text along`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.devicesPerUser = 2
        var bench = try PresenceBench(configuration)
        bench.perform(.deviceShown(far, try showing(.inUse, "10,20")))
        for name in ["a", "b"] { _ = bench.listen(on: try device("alice", name)) }
        #expect(bench.presence(of: alice)?.statusText == nil)
        #expect(bench.engine.devices(of: alice, at: bench.now).map(\.device.text) == ["a", "b"])
    }
}
