import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `After a restart` {
    @Test func `who was connected is held for one lease and no longer`() throws {
        var bench = try PresenceBench()
        _ = bench.listen(on: try device("alice"))
        bench.perform(.statusChosen(try device("alice"), .freeForChat, text: "tea"))
        var again = try PresenceBench(from: bench.saved, at: bench.now + .minutes(2))
        #expect(again.presence(of: try local("alice"))?.state == .freeForChat)
        #expect(again.presence(of: try local("alice"))?.statusText == "tea")
        again.pass(.milliseconds(29_999))
        #expect(again.state(of: try local("alice")) == .freeForChat)
        again.pass(.milliseconds(1))
        #expect(again.state(of: try local("alice")) == .offline)
    }

    @Test func `who was not connected is not there, and keeps text and age`() throws {
        var bench = try PresenceBench()
        bench.perform(.statusChosen(try device("alice"), .online, text: "tea"))
        let active = bench.now
        bench.pass(.minutes(2))
        let again = try PresenceBench(from: bench.saved, at: bench.now)
        #expect(
            again.presence(of: try local("alice"))
                == Presence(state: .offline, statusText: "tea", lastActive: active))
    }

    @Test func `whoever comes back in time was never away`() throws {
        var bench = try PresenceBench()
        bench.perform(.statusChosen(try device("alice"), .online, text: nil))
        var again = try PresenceBench(from: bench.saved, at: bench.now)
        again.pass(.seconds(20))
        _ = again.listen(on: try device("alice"))
        again.effects = []
        #expect(again.pass(.minutes(4)).allSatisfy { if case .localPublished = $0 { false } else { true } })
    }

    @Test func `lists, visibility and what other servers said are as before`() throws {
        var bench = try PresenceBench()
        let (alice, bob, carol) = (try local("alice"), try local("bob"), try remote("carol"))
        bench.befriend(alice, bob)
        bench.befriend(alice, carol)
        bench.perform(.remoteReported(carol, Presence(state: .busy), goodUntil: bench.now + .minutes(10)))
        let lapsed = try remote("dave")
        bench.befriend(alice, lapsed)
        bench.perform(.remoteReported(lapsed, Presence(state: .busy), goodUntil: bench.now + .minutes(1)))
        var again = try PresenceBench(from: bench.saved, at: bench.now + .minutes(5))
        #expect(again.engine.list(of: alice).map(\.user) == [bob, carol, lapsed].sorted())
        #expect(again.engine.granted(by: alice) == [bob, carol, lapsed].sorted())
        #expect(again.engine.presence(of: bob, seenBy: alice) != .forbidden)
        #expect(again.state(of: carol) == .busy)
        #expect(again.engine.knowledge(of: lapsed) == .unknown(.promiseLapsed, since: bench.now + .minutes(1)))
        again.pass(.minutes(5))
        #expect(again.state(of: carol) == nil)
    }

    @Test func `who has an audience is told of anew, no audience is new, and interest begins with who is held`() throws
    {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try remote("bob"))
        bench.befriend(alice, bob)
        bench.befriend(try local("carol"), try remote("dave"))
        bench.perform(.deviceSeen(try device("erin")))
        bench.perform(.statusChosen(try device("alice"), .busy, text: nil))
        let again = try PresenceBench(from: bench.saved, at: bench.now)
        #expect(again.effects.contains(.audienceRestored(alice, bob.server)))
        #expect(!again.effects.contains(.audienceAdded(alice, bob.server)))
        #expect(again.effects.contains(.interestBegan(bob, knows: false)))
        #expect(!again.effects.contains(.interestBegan(try remote("dave"), knows: false)))
        var occasions: [UserID: PresenceEngine.Occasion] = [:]
        for case .localPublished(let user, _, let occasion) in again.effects { occasions[user] = occasion }
        #expect(occasions == [alice: .restarted, try local("carol"): .restarted])
    }

    @Test func `who was idle is held idle, who was not is held active`() throws {
        var bench = try PresenceBench()
        _ = bench.listen(on: try device("alice"))
        _ = bench.listen(on: try device("bob"), .unavailable)
        bench.pass(.minutes(4))
        let again = try PresenceBench(from: bench.saved, at: bench.now + .minutes(4))
        #expect(again.state(of: try local("alice")) == .online)
        #expect(again.state(of: try local("bob")) == .unavailable)
    }

    @Test func `requests, blocks, groups, policies, rooms, types and overrides are as before`() throws {
        var bench = try PresenceBench()
        let (alice, bob, carol) = (try local("alice"), try local("bob"), try remote("carol"))
        let (friends, room) = (try GroupName(parsing: "friends"), try RoomID(parsing: "!a:here.example"))
        bench.befriend(alice, bob)
        bench.perform(.permissionReceived(PermissionMessage(.invite, observed: alice, observer: carol, note: "hi")))
        bench.perform(.userBlocked(by: alice, try local("dave")))
        bench.perform(.groupAdded(alice, friends))
        bench.perform(.memberAdded(alice, friends, bob))
        bench.perform(.listPolicyChosen(alice, .acceptSharedRoom))
        var policy = ContactPolicy()
        policy.busy = .group(friends)
        bench.perform(.contactPolicyChosen(alice, policy))
        bench.gather([alice, carol, try local("erin")], in: room)
        bench.perform(.deviceReported(try device("alice"), DeviceReport(type: try DeviceType(parsing: "mobile"))))
        let until = bench.now + .hours(1)
        bench.perform(.overrideSet(try device("alice"), PresenceOverride(state: .busy, until: until)))
        let engine = try PresenceBench(from: bench.saved, at: bench.now + .minutes(1)).engine
        #expect(engine.requests(to: alice).map(\.user) == [carol] && engine.requests(to: alice).first?.note == "hi")
        #expect(engine.blocked(by: alice) == [try local("dave")])
        #expect(engine.groups(of: alice).map(\.name) == [friends])
        #expect(engine.groups(of: alice).map(\.members) == [[bob]])
        #expect(engine.listPolicy(of: alice) == .acceptSharedRoom && engine.contactPolicy(of: alice) == policy)
        #expect(engine.members(of: room) == [alice, carol, try local("erin")].sorted())
        #expect(engine.presence(of: alice, seenBy: try local("erin")) != .forbidden)
        let mobile = try DeviceType(parsing: "mobile")
        #expect(
            engine.devices(of: alice, at: bench.now).first { $0.device == (try? device("alice"))?.device }?.type
                == mobile)
        #expect(engine.ownState(of: alice).override == PresenceOverride(state: .busy, until: until))
    }

    @Test func `an override whose time was up meanwhile is gone`() throws {
        var bench = try PresenceBench()
        _ = bench.listen(on: try device("alice"))
        bench.perform(
            .overrideSet(try device("alice"), PresenceOverride(state: .busy, until: bench.now + .minutes(1))))
        let again = try PresenceBench(from: bench.saved, at: bench.now + .minutes(2))
        #expect(again.state(of: try local("alice")) == .online)
        #expect(again.engine.ownState(of: try local("alice")).override == nil)
        #expect(again.saved.statuses.first?.status.override == nil)
    }

    @Test func `busy goes on after a crash, however long the device had been there`() throws {
        for listens in [true, false] {
            var bench = try PresenceBench()
            if listens { _ = bench.listen(on: try device("alice")) }
            bench.perform(.statusChosen(try device("alice"), .busy, text: nil))
            for _ in 0..<540 {
                bench.pass(.seconds(20))
                if !listens { bench.perform(.deviceSeen(try device("alice"))) }
            }
            var again = try PresenceBench(from: bench.saved, at: bench.now + .minutes(1))
            again.pass(.minutes(53))
            #expect(again.state(of: try local("alice")) == .busy)
            again.pass(.minutes(7))
            #expect(again.state(of: try local("alice")) == .offline)
        }
    }

    @Test func `an override that ended meanwhile over a hidden choice takes the text with it`() throws {
        var bench = try PresenceBench()
        let (alice, phone) = (try local("alice"), try device("alice"))
        _ = bench.listen(on: phone)
        bench.perform(.statusChosen(phone, .hidden, text: "tea"))
        bench.perform(.overrideSet(phone, PresenceOverride(state: .busy, until: bench.now + .minutes(1))))
        #expect(bench.presence(of: alice)?.statusText == "tea")
        let again = try PresenceBench(from: bench.saved, at: bench.now + .minutes(2))
        #expect(again.state(of: alice) == .offline && again.presence(of: alice)?.statusText == nil)
    }

    @Test func `a restart is no change: nothing is written and no version moves`() throws {
        var bench = try PresenceBench()
        for (name, state) in [("alice", ChosenState.online), ("bob", .busy), ("carol", .hidden), ("dave", .offline)] {
            _ = bench.listen(on: try device(name))
            bench.perform(.statusChosen(try device(name), state, text: "tea"))
        }
        let again = try PresenceBench(from: bench.saved, at: bench.now + .seconds(10))
        #expect(again.effects.isEmpty && again.engine.version == 0, "\(again.effects)")
    }

    @Test func `an accepted entry without leave shows nothing`() throws {
        var bench = try PresenceBench()
        let (alice, bob) = (try local("alice"), try local("bob"))
        bench.befriend(alice, bob)
        bench.perform(.statusChosen(try device("alice"), .online, text: "secret"))
        var snapshot = bench.saved
        snapshot.consents.removeAll { $0.observed == alice }
        let again = try PresenceBench(from: snapshot, at: bench.now)
        #expect(again.engine.presence(of: alice, seenBy: bob) == .forbidden)
        #expect(again.engine.changes(for: bob, after: nil).sightings.isEmpty)
        #expect(again.entry(of: alice, on: bob) == .denied)
    }

    @Test func `a client may be called as the device that stands for those of before`() throws {
        var bench = try PresenceBench()
        let phone = try device("alice", "org.presenced.restored")
        _ = bench.listen(on: phone)
        var again = try PresenceBench(from: bench.saved, at: bench.now)
        _ = again.listen(on: phone)
        again.pass(.minutes(6))
        #expect(again.state(of: try local("alice")) == .unavailable)
    }

    @Test func `entries of the watch lists of earlier versions are asked for`() throws {
        let (alice, bob, carol) = (try local("alice"), try local("bob"), try remote("carol"))
        var snapshot = PresenceEngine.Snapshot()
        snapshot.statuses = [(bob, StoredStatus())]
        let pending = StoredEntry(state: .pending, request: 1, since: .epoch, groups: 1 << 7)
        snapshot.entries = [(alice, bob, pending), (alice, carol, pending)]
        let again = try PresenceBench(from: snapshot)
        #expect(again.engine.requests(to: bob).map(\.user) == [alice])
        let invite = PermissionMessage(.invite, observed: carol, observer: alice, request: 1)
        #expect(again.effects.contains(.permission(invite)))
        // The mark of a group that there is not is nobody's.
        #expect(again.engine.list(of: alice).allSatisfy { $0.entry.groups == 0 })
    }

    @Test func `busy goes on from when the user was last seen`() throws {
        var bench = try PresenceBench()
        bench.perform(.statusChosen(try device("alice"), .busy, text: nil))
        bench.pass(.minutes(30))
        var again = try PresenceBench(from: bench.saved, at: bench.now)
        again.pass(.minutes(29))
        #expect(again.state(of: try local("alice")) == .busy)
        again.pass(.minutes(1))
        #expect(again.state(of: try local("alice")) == .offline)
    }
}
