import MatrixWire
import PresenceModel
import Synchronization
import Testing

@testable import HomeserverLink

/// Answers by method and path, and remembers what was asked.
private final class ScriptedHomeserver: HomeserverAsking {
    struct Asked: Hashable { var line: String, body: String }

    private let asked = Mutex<[Asked]>([])
    private let script: @Sendable (String, Int) -> (Int, String)

    init(_ script: @escaping @Sendable (String, Int) -> (Int, String)) { self.script = script }

    var lines: [String] { asked.withLock { $0.map(\.line) } }
    var bodies: [String] { asked.withLock { $0.map(\.body) } }

    func ask(_ question: HomeserverQuestion) async throws(HomeserverTrouble) -> HomeserverAnswer {
        #expect(question.token == PretendHomeserver.ownToken)
        let target = (PercentEncoding.decode(question.target) ?? "").replacing("/_matrix/client/v3", with: "")
        let line = "\(question.method) \(target)"
        let count = asked.withLock { asked in
            asked.append(Asked(line: line, body: String(decoding: question.body ?? [], as: UTF8.self)))
            return asked.count { $0.line == line }
        }
        await Task.yield()
        let (status, body) = script(line, count)
        return HomeserverAnswer(status: status, body: Array(body.utf8))
    }
}

/// Lets everybody in, and counts how many ask at once.
private final class CountingHomeserver: HomeserverAsking {
    private let state = Mutex((asked: 0, now: 0, most: 0))

    var asked: Int { state.withLock { $0.asked } }
    var most: Int { state.withLock { $0.most } }

    func ask(_ question: HomeserverQuestion) async throws(HomeserverTrouble) -> HomeserverAnswer {
        let number = state.withLock { state in
            (state.asked, state.now) = (state.asked + 1, state.now + 1)
            state.most = max(state.most, state.now)
            return state.asked
        }
        // Long enough for all who may to ask.
        for _ in 0..<1000 { await Task.yield() }
        state.withLock { $0.now -= 1 }
        let body = String(decoding: question.body ?? [], as: UTF8.self)
        let user = body.split(separator: "\"").first { $0.hasPrefix("@") } ?? ""
        return HomeserverAnswer(status: 200, body: Array(#"{"user_id":"\#(user)","access_token":"t\#(number)"}"#.utf8))
    }
}

private func registration() throws -> Registration {
    Registration(
        id: "presenced", url: nil, ownToken: PretendHomeserver.ownToken,
        homeserverToken: try #require(ApplicationToken(PretendHomeserver.homeserverToken)),
        senderLocalpart: "presenced", userPatterns: ["@.*"])
}

@Suite struct `Users of the application service` {
    private let ghost: UserID

    init() throws { ghost = try UserID(parsing: "@_social_0xa:x.org") }

    @Test func `get an account once, with a name where they may`() async throws {
        let homeserver = ScriptedHomeserver { line, _ in
            if line.hasPrefix("POST /register") { return (400, #"{"errcode":"M_USER_IN_USE"}"#) }
            return line.contains("displayname") ? (403, #"{"errcode":"M_FORBIDDEN"}"#) : (200, "{}")
        }
        let users = ApplicationServiceUsers(registration: try registration(), homeserver: homeserver)
        try await users.makeAccount(ghost, name: "Anna")
        try await users.makeAccount(ghost, name: nil)
        #expect(
            homeserver.lines == [
                "POST /register", "PUT /profile/@_social_0xa:x.org/displayname?user_id=@_social_0xa:x.org",
                "POST /register",
            ])
        #expect(
            homeserver.bodies.first
                == #"{"inhibit_login":true,"type":"m.login.application_service","username":"_social_0xa"}"#)
        #expect(homeserver.bodies[1] == #"{"displayname":"Anna"}"#)
    }

    @Test func `are none where the homeserver says so, and it is said what to do`() async throws {
        let closed = ScriptedHomeserver { _, _ in (400, #"{"errcode":"M_EXCLUSIVE"}"#) }
        let users = ApplicationServiceUsers(registration: try registration(), homeserver: closed)
        let trouble = await #expect(throws: HomeserverTrouble.self) {
            try await users.makeAccount(ghost, name: nil)
        }
        #expect(trouble?.message.contains("generate-registration") ?? false)
        let down = ScriptedHomeserver { line, _ in line.contains("displayname") ? (502, "") : (200, "{}") }
        let others = ApplicationServiceUsers(registration: try registration(), homeserver: down)
        await #expect(throws: HomeserverTrouble.self) { try await others.makeAccount(ghost, name: "x") }
    }

    @Test func `are put, and asked for`() async throws {
        let homeserver = ScriptedHomeserver { line, _ in
            line.hasPrefix("GET")
                ? (200, #"{"presence":"org.matrix.msc3026.busy","status_msg":"hm","last_active_ago":7}"#) : (200, "{}")
        }
        let users = ApplicationServiceUsers(registration: try registration(), homeserver: homeserver)
        try await users.put(.unavailable, text: "x", of: ghost)
        try await users.put(.offline, text: nil, of: ghost)
        #expect(homeserver.bodies == [#"{"presence":"unavailable","status_msg":"x"}"#, #"{"presence":"offline"}"#])
        #expect(try await users.presence(of: ghost) == Presence(state: .busy, statusText: "hm"))
        #expect(homeserver.lines.last == "GET /presence/@_social_0xa:x.org/status?user_id=@_social_0xa:x.org")
    }
}

@Suite struct `Logging in as the application service` {
    private let alice: UserID

    init() throws { alice = try UserID(parsing: "@alice:x.org") }

    @Test func `gets one token for each user, and a new one when it is forgotten`() async throws {
        let homeserver = ScriptedHomeserver { _, count in
            (
                200,
                #"{"user_id":"@alice:x.org","access_token":"token-\#(count)","device_id":"org.presenced.bridge.login"}"#
            )
        }
        let logins = ApplicationServiceLogins(registration: try registration(), homeserver: homeserver)
        let tokens = try await withThrowingTaskGroup(of: String.self) { [alice] group in
            for _ in 0..<5 { group.addTask { try await logins.token(for: alice) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(tokens == Array(repeating: "token-1", count: 5))
        await logins.forget(alice, "token-0")
        #expect(try await logins.token(for: alice) == "token-1")
        await logins.forget(alice, "token-1")
        #expect(try await logins.token(for: alice) == "token-2")
        #expect(homeserver.lines == ["POST /login", "POST /login"])
        let body = try #require(homeserver.bodies.first)
        #expect(body.contains(#""device_id":"org.presenced.bridge.login""#))
        #expect(body.contains(#""identifier":{"type":"m.id.user","user":"@alice:x.org"}"#))
        #expect(body.contains(#""type":"m.login.application_service""#))
    }

    @Test func `for many is so for a few at a time`() async throws {
        let homeserver = CountingHomeserver()
        let logins = ApplicationServiceLogins(registration: try registration(), homeserver: homeserver)
        let users = try (0..<50).map { try UserID(parsing: "@u\($0):x.org") }
        await withTaskGroup(of: Void.self) { group in
            for user in users { group.addTask { _ = try? await logins.token(for: user) } }
        }
        #expect(homeserver.asked == 50 && homeserver.most == ApplicationServiceLogins.loginsAtOnce)
    }

    @Test func `keeps nothing of what was refused, nor a token of somebody else`() async throws {
        let homeserver = ScriptedHomeserver { _, count in
            switch count {
            case 1: (403, #"{"errcode":"M_FORBIDDEN"}"#)
            case 2: (200, #"{"user_id":"@bob:x.org","access_token":"bobs"}"#)
            default: (200, #"{"user_id":"@alice:x.org","access_token":"alices"}"#)
            }
        }
        let logins = ApplicationServiceLogins(registration: try registration(), homeserver: homeserver)
        let refused = await #expect(throws: HomeserverTrouble.self) { try await logins.token(for: alice) }
        #expect(refused?.message.contains("namespaces.users") ?? false)
        let wrong = await #expect(throws: HomeserverTrouble.self) { try await logins.token(for: alice) }
        #expect(wrong?.code == .malformed)
        #expect(try await logins.token(for: alice) == "alices")
    }
}

@Suite struct `Presence that the homeserver tells` {
    private final class Inbox: PresenceHearing {
        let all = Mutex<[PresencePush]>([])
        func hear(_ presences: [PresencePush]) { all.withLock { $0 += presences } }
    }

    @Test func `is heard, and a transaction that comes again is not`() async throws {
        let bench = try await CensusBench()
        let inbox = Inbox()
        let gateway = bench.gateway(hearing: inbox)
        let alice =
            #"{"type":"m.presence","sender":"@alice:x.org","content":{"presence":"online","status_msg":"hi","#
            + #""last_active_ago":66,"currently_active":true}}"#
        let odd = #"{"type":"m.presence","sender":"@bob:x.org","content":{"presence":"dancing"}}"#
        for key in ["ephemeral", "de.sorunome.msc2409.ephemeral"] {
            let body = #"{"events":[],"\#(key)":[\#(alice),\#(odd)]}"#
            for _ in 0..<2 {
                #expect(try await bench.ask("PUT", "/_matrix/app/v1/transactions/\(key)", body, of: gateway) == "200")
            }
        }
        let push = PresencePush(
            user: try UserID(parsing: "@alice:x.org"), state: .online, statusText: "hi", lastActiveAgoMilliseconds: 66)
        #expect(inbox.all.withLock { $0 } == [push, push])
    }
}
