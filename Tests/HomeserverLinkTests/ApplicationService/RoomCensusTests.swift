import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization
import Testing

@testable import HomeserverLink

/// Who is in rooms whose beginning was not heard.
struct `The census of rooms` {
    // MARK: Lazily

    @Test func `asks for a room when something happens in it, in the name of who is there`() async throws {
        let bench = try await CensusBench()
        bench.homeserver.setMembers(["@ada:x.org", "@bob:y.org", "@cec:x.org"], of: "!r")
        bench.homeserver.setMembers(["@ada:x.org"], of: "!other")
        try await bench.send(bench.message("ada", "!r"))
        await bench.census.round()
        #expect(try await bench.members(of: "!r") == ["ada", "bob", "cec"])
        #expect(try bench.isKnown("!r"))
        #expect(
            bench.homeserver.questions == ["GET /_matrix/client/v3/rooms/!r/joined_members?user_id=@ada:x.org"])
        try await bench.send(bench.message("cec", "!r"))
        await bench.census.round()
        #expect(bench.homeserver.questions.count == 1)
    }

    @Test func `asks for the rooms of a user who is connected, once`() async throws {
        let bench = try await CensusBench()
        bench.homeserver.setMembers(["@ada:x.org", "@bob:y.org"], of: "!r")
        bench.homeserver.setMembers(["@bob:y.org"], of: "!theirs")
        try await bench.connect("ada")
        await bench.census.round()
        #expect(try await bench.members(of: "!r") == ["ada", "bob"])
        #expect(try !bench.isKnown("!theirs"))
        await bench.census.round()
        #expect(bench.asked("joined_rooms").count == 1)
        #expect(bench.asked("joined_members").count == 1)
    }

    @Test func `asks nobody about a room in which it knows nobody`() async throws {
        let bench = try await CensusBench()
        try await bench.send(bench.message("bob@y.org", "!r"))
        await bench.census.round()
        #expect(bench.homeserver.questions.isEmpty)
    }

    @Test func `believes events of the meantime and not the list`() async throws {
        let bench = try await CensusBench()
        bench.homeserver.setMembers(["@ada:x.org", "@bob:y.org", "@cec:y.org"], of: "!r")
        try await bench.send(bench.message("ada", "!r"))
        let isFirst = Mutex(true)
        bench.homeserver.beforeAnswers { target in
            let isNow = target.contains("joined_members") && isFirst.withLock { $0 }
            guard isNow else { return }
            isFirst.withLock { $0 = false }
            _ = try? await bench.send(
                bench.member("bob@y.org", "leave", "!r"), bench.member("dan@y.org", "join", "!r"))
        }
        await bench.census.round()
        #expect(try await bench.members(of: "!r") == ["ada", "cec", "dan"])
        #expect(try bench.isKnown("!r"))
    }

    @Test func `whoever may not look into a room is not in it`() async throws {
        let bench = try await CensusBench()
        try await bench.send(bench.member("ada", "join", "!r"), bench.member("bob@y.org", "join", "!r"))
        bench.homeserver.setMembers(["@cec:x.org"], of: "!r")
        await bench.census.round()
        // Nobody is left who could look, and nobody here who could see.
        #expect(try await bench.members(of: "!r") == [])
        #expect(try !bench.isKnown("!r"))
    }

    @Test func `a homeserver that lets nobody be asked for takes nobody out of rooms`() async throws {
        let bench = try await CensusBench()
        bench.homeserver.refuseMasquerade()
        try await bench.send(bench.member("ada", "join", "!r"), bench.member("bob@y.org", "join", "!r"))
        await bench.census.round()
        #expect(try await bench.members(of: "!r") == ["ada", "bob"])
        #expect(try !bench.isKnown("!r"))
    }

    @Test func `forgets a room that the last one here left`() async throws {
        let bench = try await CensusBench()
        bench.homeserver.setMembers(["@ada:x.org", "@bob:y.org", "@cec:x.org"], of: "!r")
        try await bench.send(bench.message("ada", "!r"))
        await bench.census.round()
        try await bench.send(bench.member("ada", "leave", "!r"))
        #expect(try await bench.members(of: "!r") == ["bob", "cec"])
        try await bench.send(bench.member("cec", "ban", "!r", by: "bob@y.org"))
        #expect(try await bench.members(of: "!r") == [])
        #expect(try !bench.isKnown("!r"))
        let room = try RoomID(parsing: "!r")
        let records = bench.disk.appended
        #expect(records.last == .roomForgotten(room))
        #expect(records.count == 2)
    }

    @Test func `a room is known on disk after its members, and forgotten before them`() async throws {
        let bench = try await CensusBench()
        bench.homeserver.setMembers(["@ada:x.org", "@bob:y.org"], of: "!r")
        try await bench.send(bench.message("ada", "!r"))
        await bench.census.round()
        try await bench.send(bench.member("ada", "leave", "!r"))
        let room = try RoomID(parsing: "!r")
        let words = bench.disk.settled.compactMap { record -> String? in
            switch record {
            case .homeserver(.roomListed(room, _)): "listed"
            case .homeserver(.roomForgotten(room)): "forgotten"
            case .presence(.member(room, let user)): "in \(user.localpart)"
            case .presence(.memberRemoved(room, let user)): "out \(user.localpart)"
            default: nil
            }
        }
        #expect(words == ["in ada", "in bob", "listed", "out ada", "forgotten", "out bob"])
    }

    @Test func `what an earlier run knew is not asked again`() async throws {
        var saved = HomeserverSnapshot()
        let room = try RoomID(parsing: "!r")
        let clock = CensusBench.Clock()
        saved.rooms = [(room, clock.now)]
        let bench = try await CensusBench(.lazy, saved: saved)
        try await bench.send(bench.message("ada", "!r"))
        await bench.census.round()
        #expect(bench.homeserver.questions.isEmpty)
    }

    // MARK: Trouble

    @Test func `a homeserver that does not answer is let be for a while, and asked again`() async throws {
        let bench = try await CensusBench()
        bench.homeserver.setMembers(["@ada:x.org", "@bob:y.org"], of: "!r")
        bench.homeserver.setDown(true)
        try await bench.send(bench.message("ada", "!r"))
        await bench.census.round()
        await bench.census.round()
        #expect(bench.homeserver.questions.count == 1)
        bench.homeserver.setDown(false)
        bench.clock.move(by: .seconds(11))
        await bench.census.round()
        #expect(try await bench.members(of: "!r") == ["ada", "bob"])
    }

    @Test(.timeLimit(.minutes(1))) func `nothing is asked before the homeserver knows the registration`() async throws {
        let bench = try await CensusBench()
        bench.homeserver.setMembers(["@ada:x.org", "@bob:y.org"], of: "!r")
        bench.homeserver.setKnowsUs(false)
        try await bench.connect("ada")
        let work = Task { await bench.census.run() }
        while bench.asked("whoami").isEmpty { try await Task.yieldUnlessCancelled() }
        bench.homeserver.setKnowsUs(true)
        while try await bench.members(of: "!r").count < 2 { try await Task.yieldUnlessCancelled() }
        work.cancel()
        await work.value
        let first = bench.homeserver.questions.first { !$0.contains("whoami") }
        #expect(first == "POST /_matrix/client/v1/appservice/presenced/ping")
    }

    // MARK: By the admin API

    @Test func `lists all rooms once, page by page`() async throws {
        let bench = try await CensusBench(.admin)
        for room in 0..<5 { bench.homeserver.setMembers(["@ada:x.org", "@u\(room):y.org"], of: "!r\(room)") }
        bench.homeserver.setMembers(["@u:y.org"], of: "!theirs")
        await bench.census.round()
        for room in 0..<5 { #expect(try await bench.members(of: "!r\(room)") == ["ada", "u\(room)"]) }
        #expect(try await bench.members(of: "!theirs") == [])
        #expect(bench.asked("rooms?from").count == 3)
        #expect(bench.disk.appended.contains { if case .roomsListed = $0 { true } else { false } })
        await bench.census.round()
        #expect(bench.asked("rooms?from").count == 3)
    }

    @Test func `lists rooms again that could not be listed to the end`() async throws {
        let bench = try await CensusBench(.admin)
        for room in 0..<5 { bench.homeserver.setMembers(["@ada:x.org"], of: "!r\(room)") }
        bench.homeserver.beforeAnswers { target in
            if target.contains("from=2") { bench.homeserver.setDown(true) }
        }
        await bench.census.round()
        #expect(!bench.disk.appended.contains { if case .roomsListed = $0 { true } else { false } })
        bench.homeserver.beforeAnswers { _ in }
        bench.homeserver.setDown(false)
        bench.clock.move(by: .minutes(1))
        await bench.census.round()
        for room in 0..<5 { #expect(try await bench.members(of: "!r\(room)") == ["ada"]) }
        #expect(bench.disk.appended.contains { if case .roomsListed = $0 { true } else { false } })
    }

    @Test func `users whose account was closed are offline and in no room`() async throws {
        let bench = try await CensusBench(.admin)
        try await bench.send(bench.member("ada", "join", "!r"), bench.member("bob", "join", "!r"))
        bench.homeserver.setMembers(["@ada:x.org", "@bob:x.org"], of: "!r")
        try await bench.connect("ada")
        try await bench.connect("bob")
        let (ada, bob) = (try UserID(parsing: "@ada:x.org"), try UserID(parsing: "@bob:x.org"))
        try await bench.runtime.perform(.entryAdded(observer: ada, observed: bob, note: nil, acl: nil))
        try await bench.runtime.perform(.entryAdded(observer: bob, observed: ada, note: nil, acl: nil))
        try await bench.runtime.perform(.requestAccepted(observed: ada, observer: bob))
        bench.homeserver.setMembers(["@bob:x.org"], of: "!r")
        bench.homeserver.deactivate("@ada:x.org")
        await bench.census.round()
        #expect(try await bench.members(of: "!r") == ["bob"])
        let (devices, list, granted) = await bench.runtime.read { engine, now in
            (engine.devices(of: ada, at: now).count, engine.list(of: ada).count, engine.granted(by: ada).count)
        }
        #expect(devices == 0 && list == 0 && granted == 0)
        let living = await bench.runtime.read { engine, now in engine.devices(of: bob, at: now).count }
        #expect(living == 1)
    }

    /// Keeps the latest of each user, as those do who work it off later.
    private final class LatestViews: LocalUserListening {
        private let views = Mutex<[UserID: LocalView]>([:])

        func latest(of user: UserID) -> LocalView? { views.withLock { $0[user] } }
        func userViewed(_ user: UserID, as view: LocalView) { views.withLock { $0[user] = view } }
        func tieChanged(of user: UserID, with other: UserID) {}
        func groupsChanged(of user: UserID) {}
    }

    @Test(arguments: [true, false])
    func `tells last of all that an account was closed`(tellsLocalViews: Bool) async throws {
        let views = LatestViews()
        let bench = try await CensusBench(.admin, listener: views, tellsLocalViews: tellsLocalViews)
        let ada = try UserID(parsing: "@ada:x.org")
        try await bench.send(bench.member("ada", "join", "!r"), bench.member("bob", "join", "!r"))
        bench.homeserver.setMembers(["@bob:x.org"], of: "!r")
        try await bench.connect("ada")
        try await bench.connect("bob")
        bench.homeserver.deactivate("@ada:x.org")
        await bench.census.round()
        #expect(views.latest(of: ada) == .closed)
        // Somebody who does not know yet mentions them.
        try await bench.send(bench.member("ada", "join", "!r"))
        bench.clock.move(by: .hours(2))
        await bench.census.round()
        #expect(views.latest(of: ada) == .closed)
    }

    // MARK: Looking again

    @Test func `looks again at rooms in use, and repairs what no event told`() async throws {
        let bench = try await CensusBench()
        bench.homeserver.setMembers(["@ada:x.org", "@bob:y.org"], of: "!used")
        bench.homeserver.setMembers(["@cec:x.org", "@bob:y.org"], of: "!quiet")
        try await bench.send(bench.message("ada", "!used"), bench.message("cec", "!quiet"))
        await bench.census.round()
        // A state that came about without an event.
        bench.homeserver.setMembers(["@ada:x.org", "@dan:y.org"], of: "!used")
        for _ in 0..<70 {
            bench.clock.move(by: .minutes(1))
            try await bench.connect("ada")
            await bench.census.round()
        }
        #expect(try await bench.members(of: "!used") == ["ada", "dan"])
        #expect(bench.asked("!used/joined_members").count == 2)
        #expect(bench.asked("!quiet/joined_members").count == 1)
        #expect(bench.census.tally.repairs == 2)
    }

    // MARK: Invitations

    private func strictBench(enforced: Bool = true) async throws -> CensusBench {
        let bench = try await CensusBench(.none)
        let ada = try UserID(parsing: "@ada:x.org")
        try await bench.runtime.perform(.userKnown(ada))
        var policy = ContactPolicy()
        policy.offline = .nobody
        policy.refusesInvites = enforced
        try await bench.runtime.perform(.contactPolicyChosen(ada, policy))
        return bench
    }

    @Test func `an invitation that the policy refuses is left on the user's behalf`() async throws {
        let bench = try await strictBench()
        try await bench.send(bench.member("ada", "invite", "!d", by: "bob@y.org", direct: true))
        #expect(bench.disk.settled.contains { if case .homeserver(.inviteRefused) = $0 { true } else { false } })
        await bench.census.round()
        #expect(bench.asked("leave") == ["POST /_matrix/client/v3/rooms/!d/leave?user_id=@ada:x.org"])
        #expect(bench.census.tally.invitesLeft == 1)
        await bench.census.round()
        #expect(bench.asked("leave").count == 1)
        #expect(bench.disk.appended.contains { if case .inviteSettled = $0 { true } else { false } })
    }

    @Test func `no other invitation is`() async throws {
        let bench = try await strictBench()
        try await bench.send(
            bench.member("ada", "invite", "!r", by: "bob@y.org"),
            bench.member("cec", "invite", "!d", by: "bob@y.org", direct: true),
            bench.member("ada@y.org", "invite", "!d", by: "cec", direct: true))
        let lenient = try await strictBench(enforced: false)
        try await lenient.send(lenient.member("ada", "invite", "!d", by: "bob@y.org", direct: true))
        for bench in [bench, lenient] {
            await bench.census.round()
            #expect(bench.asked("leave").isEmpty)
        }
    }

    @Test func `an invitation that was accepted meanwhile is let be`() async throws {
        let bench = try await strictBench()
        bench.homeserver.setDown(true)
        try await bench.send(bench.member("ada", "invite", "!d", by: "bob@y.org", direct: true))
        await bench.census.round()
        bench.homeserver.setDown(false)
        bench.clock.move(by: .seconds(1))
        // Accepted, but the event is not here yet.
        bench.homeserver.setMembers(["@ada:x.org", "@bob:y.org"], of: "!d")
        await bench.census.round()
        #expect(bench.asked("leave").isEmpty)
        try await bench.send(bench.member("ada", "invite", "!e", by: "bob@y.org", direct: true))
        try await bench.send(bench.member("ada", "join", "!e"))
        await bench.census.round()
        #expect(bench.asked("leave").isEmpty)
    }

    @Test func `an invitation that is still to be left is left after a restart`() async throws {
        var saved = HomeserverSnapshot()
        let clock = CensusBench.Clock()
        saved.refusedInvites = [(try UserID(parsing: "@ada:x.org"), try RoomID(parsing: "!d"), clock.now)]
        let bench = try await CensusBench(.none, saved: saved)
        await bench.census.round()
        #expect(bench.asked("leave").count == 1)
    }
}

extension Task where Success == Never, Failure == Never {
    /// Lets others run, and ends with the test.
    static func yieldUnlessCancelled() async throws {
        try Task.checkCancellation()
        await Task.yield()
    }
}
