import BridgeEngine
import HomeserverLink
import MatrixWire
import PresenceEngine
import PresenceModel
import SocialEngine
import Synchronization
import Testing

@testable import SocialBridge

@Suite struct `Matrix as a homeserver has it` {
    /// A homeserver without sockets, which holds a state and a text of each user.
    private final class Homeserver: HomeserverAsking {
        struct State {
            var presences: [String: String] = [:]
            var puts: [String] = []
            var gets = 0
            /// Answers to come before real ones.
            var refusals: [HomeserverAnswer] = []
        }

        let state = Mutex(State())
        var puts: [String] { state.withLock { $0.puts } }

        func refuse(_ status: Int, _ body: String) {
            state.withLock { $0.refusals.append(HomeserverAnswer(status: status, body: Array(body.utf8))) }
        }

        func ask(_ question: HomeserverQuestion) async throws(HomeserverTrouble) -> HomeserverAnswer {
            #expect(question.token == "as-token-of-the-tests")
            let target = PercentEncoding.decode(question.target) ?? ""
            return state.withLock { state in
                let parts = target.split(separator: "?")
                let user = parts[0].split(separator: "/").dropLast().last.map(String.init) ?? ""
                #expect(parts.last == "user_id=\(user)")
                if question.method == "GET" {
                    state.gets += 1
                    let known = state.presences[user] ?? #"{"presence":"offline"}"#
                    return HomeserverAnswer(status: 200, body: Array(known.utf8))
                }
                if !state.refusals.isEmpty { return state.refusals.removeFirst() }
                let body = String(decoding: question.body ?? [], as: UTF8.self)
                state.presences[user] = body
                state.puts.append("\(user) \(body)")
                return HomeserverAnswer(status: 200, body: Array("{}".utf8))
            }
        }
    }

    private final class Bench: Sendable {
        let bench: SideBench
        let homeserver = Homeserver()
        let inbox: PresenceInbox
        let side: HomeserverSide
        let alice: UserID
        private let work: Task<Void, Never>

        init(_ change: (inout HomeserverSide.Configuration) -> Void = { _ in }) async throws {
            bench = try await SideBench()
            alice = try SideBench.user("alice")
            inbox = PresenceInbox(server: bench.server)
            let registration = Registration(
                id: "p", url: nil, ownToken: "as-token-of-the-tests",
                homeserverToken: try #require(ApplicationToken("hs-token-of-the-tests")), senderLocalpart: "p",
                userPatterns: ["@.*"])
            var configuration = HomeserverSide.Configuration()
            configuration.tick = .milliseconds(2)
            change(&configuration)
            let users = ApplicationServiceUsers(registration: registration, homeserver: homeserver)
            let side = try HomeserverSide(
                presence: bench.runtime, watch: bench.watch, inbox: inbox, users: users,
                ghosts: GhostsWithoutAccounts(), ghostRule: GhostRule(server: bench.server, prefix: "_social_"),
                showsWorld: true, clock: bench.clock, configuration: configuration)
            self.side = side
            work = Task { [ears = bench.ears] in await side.run(telling: ears) }
        }

        deinit { work.cancel() }

        func tell(_ user: UserID, _ state: PublishedState, _ text: String? = nil) {
            inbox.hear([PresencePush(user: user, state: state, statusText: text, lastActiveAgoMilliseconds: 7)])
        }

        func waits(_ what: String, until isSo: ([String]) -> Bool) async throws {
            try await bench.waitsToHear("\(what); put \(homeserver.puts)") { _ in isSo(homeserver.puts) }
        }
    }

    @Test func `tells what the homeserver tells, once`() async throws {
        let bench = try await Bench()
        for _ in 0..<3 { bench.tell(bench.alice, .online, "hi") }
        try await bench.bench.hears(.matrixReported(bench.alice, .visible(.online, statusText: "hi", .untold)))
        for _ in 0..<3 { bench.tell(bench.alice, .online, "hi") }
        bench.tell(try UserID(parsing: "@alice:y.org"), .online)
        bench.tell(try SideBench.user("_social_0xa"), .online)
        bench.tell(bench.alice, .unavailable, "hi")
        try await bench.bench.hears(.matrixReported(bench.alice, .visible(.unavailable, statusText: "hi", .untold)))
        #expect(bench.bench.ears.all.count == 2)
    }

    @Test func `may be two, which hear the same`() throws {
        let server = try ServerName(parsing: "x.org")
        let inboxes = [PresenceInbox(server: server), PresenceInbox(server: server)]
        let alice = try SideBench.user("alice")
        PresenceInboxes(inboxes).hear([
            PresencePush(user: alice, state: .online), PresencePush(user: alice, state: .offline),
        ])
        for inbox in inboxes {
            #expect(inbox.take().map(\.presence.state) == [.offline])
            #expect(inbox.take().isEmpty && inbox.leftOut == 0)
        }
    }

    @Test func `asks how a user is whose list it reads`() async throws {
        let bench = try await Bench()
        bench.homeserver.state.withLock { $0.presences["@alice:x.org"] = #"{"presence":"online","status_msg":"hi"}"# }
        bench.side.carryOut(.readList(bench.alice))
        try await bench.bench.hears(.matrixReported(bench.alice, .visible(.online, statusText: "hi", .untold)))
        try await bench.bench.hears(.listRead(bench.alice, [:]))
    }

    @Test func `asks now and then how linked users are, for what was told to nobody`() async throws {
        let bench = try await Bench {
            $0.looksAfter = [.milliseconds(20)]
            $0.reviewEvery = .milliseconds(5)
        }
        bench.homeserver.state.withLock { $0.presences["@alice:x.org"] = #"{"presence":"online"}"# }
        bench.side.carryOut(.readList(bench.alice))
        try await bench.bench.hears(.matrixReported(bench.alice, .visible(.online, statusText: nil, .untold)))
        bench.homeserver.state.withLock { $0.presences["@alice:x.org"] = #"{"presence":"offline"}"# }
        try await bench.bench.hears(.matrixReported(bench.alice, .visible(.offline, statusText: nil, .untold)))
    }

    @Test func `puts what is to be shown, with the user's own text before its own`() async throws {
        let bench = try await Bench()
        bench.side.carryOut(.present(bench.alice, .visible(.online, statusText: "1,2"), as: .world))
        try await bench.waits("shown") { $0.last == #"@alice:x.org {"presence":"online","status_msg":"1,2"}"# }
        // What comes back is told as what was shown, whatever it is in the end.
        bench.tell(bench.alice, .online, "1,2")
        try await bench.bench.hears(.matrixReported(bench.alice, .visible(.online, statusText: "1,2", .untold)))
        bench.tell(bench.alice, .online, "at lunch")
        try await bench.bench.hears(.matrixReported(bench.alice, .visible(.online, statusText: "at lunch", .untold)))
        bench.side.carryOut(.present(bench.alice, .visible(.unavailable, statusText: "3,4"), as: .world))
        try await bench.waits("shown") {
            $0.last == #"@alice:x.org {"presence":"unavailable","status_msg":"at lunch"}"#
        }
        bench.tell(bench.alice, .unavailable, "at lunch")
        try await bench.bench.hears(.matrixReported(bench.alice, .visible(.unavailable, statusText: "3,4", .untold)))
        bench.side.carryOut(.present(bench.alice, .unknown, as: .world))
        try await bench.waits("gone") { $0.last == #"@alice:x.org {"presence":"offline","status_msg":"at lunch"}"# }
    }

    @Test func `puts again what stands, and not what does not`() async throws {
        let bench = try await Bench { $0.standsFor = .milliseconds(20) }
        let ghost = try SideBench.user("_social_0xa")
        bench.side.carryOut(.present(ghost, .visible(.online, statusText: nil), as: .ghost))
        try await bench.waits("again and again") { $0.count >= 4 }
        bench.side.carryOut(.present(ghost, .offline, as: .ghost))
        try await bench.waits("gone") { $0.last == #"@_social_0xa:x.org {"presence":"offline"}"# }
        // Somebody else is put again meanwhile: the clock went on.
        bench.side.carryOut(.present(bench.alice, .visible(.online, statusText: nil), as: .world))
        try await bench.waits("alice again") { $0.count { $0.hasPrefix("@alice") } >= 4 }
        #expect(bench.homeserver.puts.count { $0.contains("offline") } == 1)
    }

    @Test func `pauses once for all that one failure takes with it`() async throws {
        let bench = try await Bench {
            $0.inFlight = 40
            $0.pauseLimit = .hours(1)
        }
        let users = try (0..<40).map { try SideBench.user("user\($0)") }
        for _ in users { bench.homeserver.refuse(502, "bad gateway") }
        for user in users { bench.side.carryOut(.present(user, .visible(.online, statusText: nil), as: .world)) }
        try await bench.bench.waitsToHear("failed") { events in
            users.allSatisfy { events.contains(.presentFailed($0)) }
        }
        bench.side.carryOut(.present(bench.alice, .visible(.online, statusText: nil), as: .world))
        try await bench.waits("put when the pause is over") { $0.count == 1 }
    }

    @Test func `puts what stands again after a short outage, and says nothing of that`() async throws {
        let bench = try await Bench {
            $0.standsFor = .milliseconds(20)
            $0.pauseFirst = .milliseconds(1)
        }
        bench.side.carryOut(.present(bench.alice, .visible(.online, statusText: nil), as: .world))
        try await bench.waits("put") { $0.count == 1 }
        for _ in 0..<3 { bench.homeserver.refuse(502, "bad gateway") }
        try await bench.waits("put again and again") { $0.count >= 4 }
        #expect(bench.bench.ears.all.isEmpty)
        #expect(await bench.side.tally.failures == 3)
    }

    @Test func `tells that what stood does not any more where an outage is longer`() async throws {
        let bench = try await Bench {
            $0.standsFor = .milliseconds(20)
            $0.standsGrace = .zero
            $0.pauseFirst = .milliseconds(1)
        }
        bench.side.carryOut(.present(bench.alice, .visible(.online, statusText: nil), as: .world))
        try await bench.waits("put") { $0.count == 1 }
        bench.homeserver.refuse(502, "bad gateway")
        try await bench.bench.hears(.presentFailed(bench.alice))
    }

    @Test func `gives the device of log-ins another name than that of the world`() {
        #expect(ApplicationServiceLogins.device != PresencedSide.Configuration().device)
    }

    @Test func `comes again later where it is told to, and tells where it is refused`() async throws {
        let bench = try await Bench()
        bench.homeserver.refuse(429, #"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":30}"#)
        bench.side.carryOut(.present(bench.alice, .visible(.online, statusText: nil), as: .world))
        try await bench.waits("put at last") { $0.count == 1 }
        #expect(bench.bench.ears.all.isEmpty)
        bench.homeserver.refuse(403, #"{"errcode":"M_FORBIDDEN"}"#)
        bench.side.carryOut(.present(bench.alice, .offline, as: .world))
        try await bench.bench.hears(.presentFailed(bench.alice))
        #expect(bench.homeserver.puts.count == 1)
        bench.homeserver.refuse(502, "bad gateway")
        bench.side.carryOut(.present(bench.alice, .visible(.unavailable, statusText: nil), as: .world))
        try await bench.bench.waitsToHear("failed twice") { $0.count { $0 == .presentFailed(bench.alice) } == 2 }
    }

    @Test func `takes no text for the user's own that may be the bridge's of before`() {
        for (text, isLike) in [
            ("10,-20 in main", true), ("10,-20", true), ("in main", true), ("10,-20 in the pub", false),
            ("in the pub", false), ("hi", false), ("10,x", false),
            (#"{"realm":{"layer":"","serverName":"main"},"position":{"x":1,"y":2}}"#, true),
        ] { #expect(WhereaboutsText.isLike(text) == isLike, "\(text)") }
        #expect(!WhereaboutsText.isLike(nil))
        for whereabouts in [
            Whereabouts(realm: "main", parcel: .init(x: 1, y: -2)), Whereabouts(realm: "main", parcel: nil),
            Whereabouts(realm: nil, parcel: .init(x: 1, y: -2)),
        ] {
            #expect(WhereaboutsText.isLike(WhereaboutsText.readable(whereabouts)))
            #expect(WhereaboutsText.isLike(WhereaboutsText.oldClient(whereabouts)))
        }
    }
}
