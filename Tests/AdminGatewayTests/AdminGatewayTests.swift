import FederationEngine
import Foundation
import HTTPTypes
import HummingbirdCore
import MatrixWire
import NIOCore
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Testing

@testable import AdminGateway
@testable import MatrixHTTP

struct `The operator` {
    static let token = "operator-token-of-tests"
    static let base = "/_presenced/admin/v1"
    private static let room = "\(base)/rooms/!lobby:x.org"

    private struct FixedClock: PresenceClock {
        var now: Instant { Instant(millisecondsSinceEpoch: 1_700_000_000_000) }
    }

    private struct NoDisk: Journal {
        func append(_ records: [PresenceInstance.Record]) {}
        func settle() async throws {}
    }

    private struct NoNetwork: TransactionDelivery {
        func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome { .failed(.unanswered(after: nil)) }
    }

    let runtime: PresenceRuntime
    private let routes: RouteTable

    init() async throws {
        let server = try ServerName(parsing: "x.org")
        var engine = PresenceEngine.Configuration()
        engine.roomsPerUser = 2
        let instance = PresenceInstance(
            presence: PresenceEngine(server: server, configuration: engine),
            federation: FederationEngine(server: server, boot: 1, seed: 1))
        runtime = PresenceRuntime(
            instance: instance, clock: FixedClock(), journal: NoDisk(), delivery: NoNetwork(), boot: 1)
        await runtime.start(from: PresenceInstance.Snapshot())
        routes = AdminGateway(runtime: runtime, token: try #require(AdminToken(`The operator`.token))).routes
    }

    func ask(
        _ method: String, _ path: String, _ body: String = "", token: String? = `The operator`.token
    ) async throws -> (status: Int, text: String) {
        var fields: HTTPFields = [:]
        fields[.authorization] = token.map { "Bearer \($0)" }
        let head = HTTPRequest(
            method: try #require(HTTPRequest.Method(rawValue: method)), scheme: "http", authority: "x.org", path: path,
            headerFields: fields)
        let answer = await routes.answer(
            MatrixRequest(Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body)))))
        guard case .bytes(let buffer) = answer.body else { return (answer.status, "") }
        return (answer.status, String(buffer: buffer))
    }

    func told(_ method: String, _ path: String, _ body: String = "") async throws -> String {
        let (status, text) = try await ask(method, path, body)
        #expect(status == 200, "\(method) \(path): \(text)")
        return text
    }

    private func visible(_ observed: String, to observer: String) async throws -> Bool {
        let (observed, observer) = (try UserID(parsing: observed), try UserID(parsing: observer))
        return await runtime.read { engine, _ in engine.presence(of: observed, seenBy: observer) != .forbidden }
    }

    @Test func `puts users into rooms, where they see each other`() async throws {
        let members = "\(`The operator`.room)/members"
        #expect(try await told("GET", "\(`The operator`.base)/rooms") == #"{"rooms":[]}"#)
        #expect(try await told("PUT", "\(members)/@ada:x.org") == "{}")
        #expect(try await told("PUT", "\(members)/@bob:x.org") == "{}")
        #expect(try await visible("@bob:x.org", to: "@ada:x.org"))
        #expect(try await told("GET", members) == #"{"members":["@ada:x.org","@bob:x.org"]}"#)
        #expect(try await told("GET", "\(`The operator`.base)/rooms") == #"{"rooms":["!lobby:x.org"]}"#)
        #expect(try await told("DELETE", "\(members)/@bob:x.org") == "{}")
        #expect(try await visible("@bob:x.org", to: "@ada:x.org") == false)

        let new = #"{"members":["@cy:other.org","@bob:x.org","@bob:x.org"]}"#
        #expect(try await told("PUT", members, new) == "{}")
        #expect(try await told("GET", members) == #"{"members":["@bob:x.org","@cy:other.org"]}"#)
        #expect(
            try await told("GET", "\(`The operator`.base)/users/@cy:other.org/rooms") == #"{"rooms":["!lobby:x.org"]}"#)
        #expect(try await told("GET", "\(`The operator`.base)/users/@ada:x.org/rooms") == #"{"rooms":[]}"#)
        #expect(try await told("PUT", members, new) == "{}")
        #expect(try await told("DELETE", `The operator`.room) == "{}")
        #expect(try await told("GET", "\(`The operator`.base)/rooms") == #"{"rooms":[]}"#)
    }

    @Test func `replaces all of a room or nothing`() async throws {
        for room in ["!a:x.org", "!b:x.org"] {
            _ = try await told("PUT", "\(`The operator`.base)/rooms/\(room)/members/@ada:x.org")
        }
        let members = "\(`The operator`.room)/members"
        let refused = try await ask("PUT", members, #"{"members":["@ada:x.org","@bob:x.org"]}"#)
        #expect(refused.status == 403 && refused.text.contains("2 are the most"))
        #expect(try await told("GET", members) == #"{"members":[]}"#)
        #expect(try await ask("PUT", "\(members)/@ada:x.org").status == 403)
        let many = (0..<2000).map { "\"@u\($0):x.org\"" }.joined(separator: ",")
        _ = try await told("PUT", members, "{\"members\":[\(many)]}")
        let room = try RoomID(parsing: "!lobby:x.org")
        #expect(await runtime.read { engine, _ in engine.members(of: room).count } == 2000)
    }

    @Test func `asks who may open a chat`() async throws {
        let check = "\(`The operator`.base)/contact_policy/check"
        try await runtime.perform(.userKnown(UserID(parsing: "@bob:x.org")))
        #expect(
            try await told("POST", check, #"{"from":"@ada:x.org","to":"@bob:x.org"}"#)
                == #"{"allowed":false,"decided_here":true}"#)
        #expect(
            try await told("POST", check, #"{"from":"@ada:x.org","to":"@bob:other.org"}"#)
                == #"{"allowed":true,"decided_here":false}"#)
        #expect(try await ask("POST", check, #"{"from":"@ada:x.org"}"#).status == 400)
    }

    @Test func `is known by the token alone`() async throws {
        for route in routes.routes {
            let path = route.pattern.replacingOccurrences(of: "*", with: "x")
            #expect(try await ask(route.method, path, "{}", token: nil).status == 401)
            for wrong in [
                "x", "operator-token-of-test", "\(`The operator`.token)x", String(repeating: "x", count: 2000),
            ] {
                #expect(try await ask(route.method, path, "{}", token: wrong).status == 401)
            }
            // Whatever stands in the path, it is parsed.
            if route.pattern.contains("*") { #expect(try await ask(route.method, path, "{}").status == 400) }
        }
        #expect(AdminToken("short") == nil && AdminToken("with blanks in it, long") == nil)
        #expect(AdminToken(String(repeating: "x", count: 1025)) == nil)
        #expect("\(try #require(AdminToken(`The operator`.token)))".contains(`The operator`.token) == false)
    }

    @Test func `learns how the social service stands`() async throws {
        #expect(try await ask("GET", "\(Self.base)/social").status == 404)
        #expect(try await ask("GET", "\(Self.base)/social", token: nil).status == 401)
        let routes = AdminGateway(
            runtime: runtime, token: try #require(AdminToken(Self.token)),
            social: {
                var report = SocialReport()
                (report.connections, report.usersThere) = (3, 2)
                report.redis = .init(isConnected: false, since: .epoch, latestFailure: "refused")
                return report
            }
        ).routes
        var fields: HTTPFields = [:]
        fields[.authorization] = "Bearer \(Self.token)"
        let head = HTTPRequest(
            method: .get, scheme: "http", authority: "x.org", path: "\(Self.base)/social", headerFields: fields)
        let answer = await routes.answer(MatrixRequest(Request(head: head, body: RequestBody(buffer: ByteBuffer()))))
        guard case .bytes(let buffer) = answer.body else { throw CancellationError() }
        let report = try JSONParser.strict.parse(Array(buffer.readableBytesView)).value
        #expect(report["connections"]?.integer == 3 && report["users_there"]?.integer == 2)
        #expect(report["redis"]?["connected"]?.bool == false)
        #expect(report["redis"]?["latest_failure"]?.string == "refused")
    }

    @Test func `counts for whoever collects metrics, and keeps others' endpoints to itself`() async throws {
        let other = Route("GET", "\(Self.base)/other") { _ throws(MatrixErrorBody) in .emptyObject }
        let routes = AdminGateway(
            runtime: runtime, token: try #require(AdminToken(Self.token)), social: { SocialReport() },
            metrics: { [Metric("further", .gauge, "More.", 7)] }, others: [other]
        ).routes
        func get(_ path: String, token: String?) async throws -> (answer: Answer, text: String) {
            var fields: HTTPFields = [:]
            fields[.authorization] = token.map { "Bearer \($0)" }
            let head = HTTPRequest(
                method: .get, scheme: "http", authority: "x.org", path: "\(Self.base)/\(path)", headerFields: fields)
            let answer = await routes.answer(
                MatrixRequest(Request(head: head, body: RequestBody(buffer: ByteBuffer()))))
            guard case .bytes(let buffer) = answer.body else { return (answer, "") }
            return (answer, String(buffer: buffer))
        }
        for path in ["metrics", "other"] {
            #expect(try await get(path, token: nil).answer.status == 401)
            #expect(try await get(path, token: Self.token).answer.status == 200)
        }
        let (answer, text) = try await get("metrics", token: Self.token)
        #expect(answer.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
        for line in ["presenced_presence_users 0", "presenced_social_connections 0", "further 7"] {
            #expect(text.split(separator: "\n").contains(Substring(line)), "\(line)")
        }
        // Each sample is of a metric that was named, once.
        let names = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ")[2] }
        #expect(Set(names).count == names.count && names.allSatisfy { $0 == "further" || $0.hasPrefix("presenced_") })
    }
}
