import FederationEngine
import HTTPTypes
import HummingbirdCore
import Logging
import MatrixWire
import NIOCore
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization
import Testing

@testable import HomeserverLink
@testable import MatrixHTTP

/// A homeserver `x.org` without sockets: rooms and their members, asked as an application service or by its admin API.
final class PretendHomeserver: HomeserverAsking {
    private struct State {
        var rooms: [String: [String]] = [:]
        var deactivated: [String] = []
        var questions: [String] = []
        var isDown = false
        /// Asked before an answer is given.
        var beforeAnswer: (@Sendable (String) async -> Void)?
        var knowsUs = true
        var refusesMasquerade = false
    }

    static let ownToken = "as-token-of-the-tests"
    static let homeserverToken = "hs-token-of-the-tests"
    static let adminToken = "admin-token-of-the-tests"

    private let state = Mutex(State())

    /// Everything that was asked: method, path without its beginning, and in whose name.
    var questions: [String] { state.withLock { $0.questions } }

    func setMembers(_ members: [String], of room: String) { state.withLock { $0.rooms[room] = members } }

    func deactivate(_ user: String) { state.withLock { $0.deactivated.append(user) } }

    func setDown(_ isDown: Bool) { state.withLock { $0.isDown = isDown } }

    func setKnowsUs(_ knows: Bool) { state.withLock { $0.knowsUs = knows } }

    func refuseMasquerade() { state.withLock { $0.refusesMasquerade = true } }

    /// `hook` runs when a question of that path has come, before its answer leaves, which was made before.
    func beforeAnswers(_ hook: @escaping @Sendable (String) async -> Void) {
        state.withLock { $0.beforeAnswer = hook }
    }

    func ask(_ question: HomeserverQuestion) async throws(HomeserverTrouble) -> HomeserverAnswer {
        let (answer, hook) = state.withLock { state -> (HomeserverAnswer?, (@Sendable (String) async -> Void)?) in
            let text = PercentEncoding.decode(question.target) ?? question.target
            state.questions.append("\(question.method) \(text)")
            return (state.isDown ? nil : PretendHomeserver.answer(question, text, &state), state.beforeAnswer)
        }
        await hook?(PercentEncoding.decode(question.target) ?? question.target)
        guard let answer else { throw HomeserverTrouble(.unreachable, "no answer") }
        #expect(answer.body.count <= question.answerLimitBytes)
        return answer
    }

    private static func refusal(_ status: Int, _ code: String) -> HomeserverAnswer {
        HomeserverAnswer(status: status, body: Array(#"{"errcode":"\#(code)","error":""}"#.utf8))
    }

    private static func found(_ value: JSONValue) -> HomeserverAnswer {
        HomeserverAnswer(status: 200, body: CanonicalJSON.encode(value))
    }

    private static func answer(_ question: HomeserverQuestion, _ target: String, _ state: inout State)
        -> HomeserverAnswer
    {
        let parts = target.split(separator: "?", maxSplits: 1)
        let path = parts[0].split(separator: "/").map(String.init)
        let query = parts.count > 1 ? String(parts[1]) : ""
        if path.first == "_synapse" {
            guard question.token == adminToken else { return refusal(403, "M_FORBIDDEN") }
            return answerAdmin(path, query, state)
        }
        guard question.token == ownToken, state.knowsUs else { return refusal(401, "M_UNKNOWN_TOKEN") }
        let user = query.contains("user_id=") ? String(query.dropFirst("user_id=".count)) : "@presenced:x.org"
        if state.refusesMasquerade, user != "@presenced:x.org" { return refusal(403, "M_FORBIDDEN") }
        switch path.last {
        case "whoami": return found(["user_id": .string(user)])
        case "ping": return found(["duration_ms": 1])
        case "joined_rooms":
            let rooms = state.rooms.filter { $0.value.contains(user) }.map(\.key).sorted()
            return found(["joined_rooms": .array(rooms.map { .string($0) })])
        case "joined_members":
            guard let members = state.rooms[path[4]], members.contains(user) else { return refusal(403, "M_FORBIDDEN") }
            var joined = JSONObject()
            for member in members { joined[member] = ["display_name": .string(member)] }
            return found(["joined": .object(joined)])
        case "leave":
            state.rooms[path[4]]?.removeAll { $0 == user }
            return found(.object(JSONObject()))
        default: return refusal(404, "M_UNRECOGNIZED")
        }
    }

    /// Two rooms on a page.
    private static func answerAdmin(_ path: [String], _ query: String, _ state: State) -> HomeserverAnswer {
        switch path.last {
        case "rooms":
            let names = state.rooms.keys.sorted()
            let start = Int(query.split(separator: "&").first?.dropFirst("from=".count) ?? "0") ?? 0
            let page = names.dropFirst(start).prefix(2).map { name -> JSONValue in
                let locals = (state.rooms[name] ?? []).count { $0.hasSuffix(":x.org") }
                return ["room_id": .string(name), "joined_local_members": .integer(Int64(locals))]
            }
            var answer: [(String, JSONValue)] = [("rooms", .array(page))]
            if start + 2 < names.count { answer.append(("next_batch", .integer(Int64(start + 2)))) }
            var object = JSONObject()
            for (key, value) in answer { object[key] = value }
            return found(.object(object))
        case "members":
            guard let members = state.rooms[path[4]] else { return refusal(404, "M_NOT_FOUND") }
            return found(["members": .array(members.map { .string($0) }), "total": .integer(Int64(members.count))])
        case "users":
            return found([
                "users": .array(
                    state.deactivated.map { ["name": .string($0), "deactivated": true] }
                        + [["name": "@living:x.org", "deactivated": false]]),
                "total": 1,
            ])
        default: return refusal(404, "M_UNRECOGNIZED")
        }
    }
}

/// A journal that keeps everything in memory, and can be full.
final class CensusDisk: Journal {
    struct Full: Error {}

    private struct State {
        var records: [PresenceInstance.Record] = []
        var settled = 0
        var isFull = false
    }

    private let state = Mutex(State())

    /// On disk.
    var settled: [PresenceInstance.Record] { state.withLock { Array($0.records.prefix($0.settled)) } }

    var appended: [HomeserverRecord] {
        state.withLock { state in
            state.records.compactMap { if case .homeserver(let record) = $0 { record } else { nil } }
        }
    }

    func fill(_ isFull: Bool) { state.withLock { $0.isFull = isFull } }

    func append(_ records: [PresenceInstance.Record]) { state.withLock { $0.records += records } }

    func settle() async throws {
        try state.withLock { state in
            if state.isFull { throw Full() }
            state.settled = state.records.count
        }
    }
}

/// A census on a runtime and a homeserver of its own, told of events as the homeserver would.
struct CensusBench: Sendable {
    final class Clock: PresenceClock {
        private let instant = Mutex(Instant(millisecondsSinceEpoch: 1_700_000_000_000))

        var now: Instant { instant.withLock { $0 } }

        func move(by duration: Duration) { instant.withLock { $0 = $0 + duration } }
    }

    private struct NoNetwork: TransactionDelivery {
        func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome { .failed(.unanswered(after: nil)) }
    }

    let clock = Clock()
    let disk = CensusDisk()
    let homeserver = PretendHomeserver()
    let runtime: PresenceRuntime
    let census: RoomCensus
    let gateway: ApplicationGateway
    private let count = CensusCounter()

    init(
        _ bootstrap: RoomCensus.Bootstrap = .lazy, saved: HomeserverSnapshot = HomeserverSnapshot(),
        listener: (any LocalUserListening)? = nil, tellsLocalViews: Bool = false,
        _ configure: (inout RoomCensus.Configuration) -> Void = { _ in }
    ) async throws {
        let server = try ServerName(parsing: "x.org")
        var presence = PresenceEngine.Configuration()
        presence.tellsLocalViews = tellsLocalViews
        runtime = PresenceRuntime(
            instance: PresenceInstance(
                presence: PresenceEngine(server: server, configuration: presence),
                federation: FederationEngine(server: server, boot: 1, seed: 1)),
            clock: clock, journal: disk, delivery: NoNetwork(), boot: 1, listener: listener)
        await runtime.start(from: PresenceInstance.Snapshot())
        let registration = Registration(
            id: "presenced", url: nil, ownToken: PretendHomeserver.ownToken,
            homeserverToken: try #require(ApplicationToken(PretendHomeserver.homeserverToken)),
            senderLocalpart: "presenced", userPatterns: ["@.*:x\\.org"])
        var configuration = RoomCensus.Configuration()
        configuration.bootstrap = bootstrap
        if bootstrap == .admin { configuration.adminToken = PretendHomeserver.adminToken }
        configuration.pauseFirst = .milliseconds(1)
        configuration.pauseLimit = .milliseconds(4)
        configure(&configuration)
        let logger = Logger(label: "census", factory: { _ in SwiftLogNoOpLogHandler() })
        census = RoomCensus(
            server: server, registration: registration, homeserver: homeserver, runtime: runtime, journal: disk,
            saved: saved, configuration: configuration, clock: clock, logger: logger)
        gateway = ApplicationGateway(registration: registration, census: census, logger: logger)
    }

    // MARK: Events

    /// `ada joins !r`, `bob@y.org leaves !r`: one event each, with an id of its own.
    func member(_ user: String, _ membership: String, _ room: String, by sender: String? = nil, direct: Bool = false)
        -> String
    {
        let (user, sender) = (CensusBench.name(user), CensusBench.name(sender ?? user))
        return #"{"type":"m.room.member","event_id":"$\#(count.next())","room_id":"\#(room)","sender":"\#(sender)","#
            + #""state_key":"\#(user)","content":{"membership":"\#(membership)","is_direct":\#(direct)},"#
            + #""origin_server_ts":\#(clock.now.millisecondsSinceEpoch)}"#
    }

    func message(_ sender: String, _ room: String, age: Int64? = 5) -> String {
        let age = age.map { #","unsigned":{"age":\#($0)}"# } ?? ""
        return #"{"type":"m.room.message","event_id":"$\#(count.next())","room_id":"\#(room)","#
            + #""sender":"\#(CensusBench.name(sender))","content":{"msgtype":"m.text","body":"secret"},"#
            + #""origin_server_ts":\#(clock.now.millisecondsSinceEpoch)\#(age)}"#
    }

    /// What came back: the status, and the code of a refusal.
    @discardableResult
    func send(_ events: String..., ephemeral: String = "", id: String? = nil) async throws -> String {
        let body = #"{"events":[\#(events.joined(separator: ","))],"ephemeral":[\#(ephemeral)]}"#
        return try await ask("PUT", "/_matrix/app/v1/transactions/\(id ?? "t\(count.next())")", body)
    }

    func ask(
        _ method: String, _ path: String, _ body: String = "", token: String? = PretendHomeserver.homeserverToken,
        of other: ApplicationGateway? = nil
    ) async throws -> String {
        var fields: HTTPFields = [:]
        if let token { fields[.authorization] = "Bearer \(token)" }
        let head = HTTPRequest(
            method: try #require(HTTPRequest.Method(rawValue: method)), scheme: "http", authority: "x.org", path: path,
            headerFields: fields)
        let answer = await (other ?? gateway).routes.answer(
            MatrixRequest(Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body)))))
        guard case .bytes(let buffer) = answer.body, answer.status != 200,
            let code = try? JSONParser.strict.parse(Array(buffer.readableBytesView)).value["errcode"]?.string
        else { return "\(answer.status)" }
        return "\(answer.status) \(code)"
    }

    /// Another one, which tells of presence.
    func gateway(hearing presences: any PresenceHearing) -> ApplicationGateway {
        ApplicationGateway(
            registration: gateway.registration, census: census, presences: presences, logger: gateway.logger)
    }

    // MARK: What came of it

    func members(of room: String) async throws -> [String] {
        let room = try RoomID(parsing: room)
        return await runtime.read { engine, _ in engine.members(of: room) }.map { String($0.localpart) }
    }

    func isKnown(_ room: String) throws -> Bool { census.isKnown(try RoomID(parsing: room)) }

    func connect(_ user: String, device: String = "PHONE") async throws {
        await runtime.submit(.presence(.deviceSynced(try CensusBench.key(user, device), .online)))
    }

    static func key(_ user: String, _ device: String) throws -> DeviceKey {
        DeviceKey(user: try UserID(parsing: name(user)), device: try DeviceID(parsing: device))
    }

    /// `@name:x.org`, unless a server is named.
    static func name(_ user: String) -> String {
        if user.hasPrefix("@") { return user }
        return user.contains("@") ? "@" + user.replacing("@", with: ":") : "@\(user):x.org"
    }

    /// What was asked since, about that.
    func asked(_ word: String) -> [String] { homeserver.questions.filter { $0.contains(word) } }
}

/// Numbers that are there once.
final class CensusCounter: Sendable {
    private let count = Mutex(0)

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
