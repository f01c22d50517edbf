import BridgeEngine
import HomeserverLink
import MatrixWire
import PresenceModel
import SocialBridge
import SocialClient
import SocialEngine
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct `Ghosts of a homeserver` {
    private let homeserver = NamingHomeserver()
    private let profiles = SocialProfiles()

    private func ghosts() throws -> HomeserverGhosts {
        let registration = Registration(
            id: "presenced", url: nil, ownToken: String(repeating: "o", count: 64),
            homeserverToken: try #require(ApplicationToken(String(repeating: "h", count: 64))),
            senderLocalpart: "presenced", userPatterns: ["@.*"])
        var pause = ReconnectPause()
        pause.first = .milliseconds(5)
        return HomeserverGhosts(
            users: ApplicationServiceUsers(registration: registration, homeserver: homeserver),
            names: { [profiles] in profiles.name(of: $0) }, renamed: profiles.renamed,
            ghosts: { address in
                address.text.hasPrefix("0xf") ? nil : try? UserID(parsing: "@_social_\(address):x.org")
            }, pause: pause)
    }

    @Test func `are named anew when their people go by another name, once for each change`() async throws {
        let ghosts = try ghosts()
        let (a, stranger) = (try address("0xa"), try address("0xf"))
        try await ghosts.make(UserID(parsing: "@_social_0xa:x.org"), for: a)
        #expect(homeserver.names.isEmpty)
        let keeping = Task { await ghosts.keepUp() }
        profiles.note(name: "Anna", of: a)
        #expect(await comes { homeserver.names == ["Anna"] })
        profiles.note(name: "Anna", of: a)
        // Nobody was made for them.
        profiles.note(name: "Nobody", of: stranger)
        homeserver.isFailing(times: 2)
        profiles.note(name: "Bella", of: a)
        #expect(await comes { homeserver.names == ["Anna", "Bella", "Bella", "Bella"] })
        profiles.note(name: "Cleo", of: a)
        #expect(await comes { homeserver.names.last == "Cleo" })
        #expect(homeserver.names.count == 5)
        keeping.cancel()
        await keeping.value
    }
}

/// Takes accounts and names.
private final class NamingHomeserver: HomeserverAsking {
    private let state = Mutex<(names: [String], failures: Int)>(([], 0))

    /// In the order in which they were put.
    var names: [String] { state.withLock { $0.names } }

    func isFailing(times: Int) { state.withLock { $0.failures = times } }

    func ask(_ question: HomeserverQuestion) async throws(HomeserverTrouble) -> HomeserverAnswer {
        guard question.target.contains("displayname") else {
            return HomeserverAnswer(status: 200, body: Array("{}".utf8))
        }
        let body = String(decoding: question.body ?? [], as: UTF8.self)
        let isTaken = state.withLock { state in
            state.names.append(String(body.dropFirst(16).dropLast(2)))
            state.failures -= 1
            return state.failures < 0
        }
        return HomeserverAnswer(status: isTaken ? 200 : 502, body: Array("{}".utf8))
    }
}
