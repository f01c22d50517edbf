import FederationEngine
import HTTPTypes
import HummingbirdCore
import MatrixWire
import NIOCore
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization
import Testing

@testable import ClientGateway
@testable import MatrixHTTP

/// A gateway on a runtime of its own, and requests to it without a socket.
struct GatewayBench: Sendable {
    /// What came back.
    struct Reply: Sendable {
        var status: Int
        var text: String
        var json: JSONValue { (try? JSONParser.strict.parse(Array(text.utf8)).value) ?? .null }
        /// `200` or, for refusals, `404 M_NOT_FOUND`.
        var verdict: String { json["errcode"]?.string.map { "\(status) \($0)" } ?? "\(status)" }
    }

    static let own = "/_matrix/client/unstable/org.presenced"
    static let start = Instant(millisecondsSinceEpoch: 1_700_000_000_000)

    let clock = HandClock()
    let disk = Disk()
    let runtime: PresenceRuntime
    let routes: RouteTable
    private let folder: TemporaryFolder
    private let tokens: [String: String]

    /// Users `@ada:x.org`, `@bob:x.org`, and so on, each with a device named as the user in upper case.
    init(
        users: [String] = ["ada", "bob"], engine: PresenceEngine.Configuration = .init(),
        _ configure: (inout ClientGateway.Configuration) -> Void = { _ in }
    ) async throws {
        let server = try ServerName(parsing: "x.org")
        folder = try TemporaryFolder()
        let file = TokenFile(path: folder.path("tokens.json"))
        var tokens: [String: String] = [:]
        for name in users {
            let device = try DeviceID(parsing: name.uppercased())
            tokens[name] = try file.create(user: try user(name), device: device, at: GatewayBench.start).token.text
        }
        self.tokens = tokens
        let instance = PresenceInstance(
            presence: PresenceEngine(server: server, configuration: engine),
            federation: FederationEngine(server: server, boot: 7, seed: 1))
        runtime = PresenceRuntime(instance: instance, clock: clock, journal: disk, delivery: NoNetwork(), boot: 7)
        await runtime.start(from: PresenceInstance.Snapshot())
        var configuration = ClientGateway.Configuration()
        configure(&configuration)
        let gateway = ClientGateway(
            server: server, runtime: runtime, tokens: try TokenSource(file: file, server: server),
            configuration: configuration,
            clock: clock)
        routes = gateway.routes
        for name in users { try await runtime.perform(.userKnown(try user(name))) }
    }

    /// - Parameter caller: `nil` for a request without a token.
    func ask(_ method: String, _ path: String, as caller: String?, _ body: String = "") async throws -> Reply {
        var fields: HTTPFields = [:]
        if let caller { fields[.authorization] = "Bearer \(tokens[caller] ?? caller)" }
        let head = HTTPRequest(
            method: try #require(HTTPRequest.Method(rawValue: method)), scheme: "http", authority: "x.org", path: path,
            headerFields: fields)
        let answer = await routes.answer(
            MatrixRequest(Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body)))))
        guard case .bytes(let buffer) = answer.body else { return Reply(status: answer.status, text: "") }
        return Reply(status: answer.status, text: String(buffer: buffer))
    }

    /// The text of the answer, which must be 200.
    func told(_ method: String, _ path: String, as caller: String, _ body: String = "") async throws -> String {
        let reply = try await ask(method, path, as: caller, body)
        #expect(reply.status == 200, "\(method) \(path): \(reply.text)")
        return reply.text
    }

    /// Empty for who has none.
    func token(of name: String) -> String { tokens[name] ?? "" }

    func status(of name: String) -> String { "/_matrix/client/v3/presence/@\(name):x.org/status" }
}

/// `@name:x.org`, or the user of a whole identifier.
func user(_ name: String) throws -> UserID { try UserID(parsing: name.contains(":") ? name : "@\(name):x.org") }

/// A clock that stands until it is moved by hand.
final class HandClock: PresenceClock {
    private let instant = Mutex(GatewayBench.start)

    var now: Instant { instant.withLock { $0 } }

    func move(by duration: Duration) { instant.withLock { $0 = $0 + duration } }
}

/// A disk that takes everything, until it is full.
final class Disk: Journal {
    struct Full: Error {}

    private let isFull = Mutex(false)

    func fill() { isFull.withLock { $0 = true } }

    func append(_ records: [PresenceInstance.Record]) {}

    func settle() async throws { if isFull.withLock({ $0 }) { throw Full() } }
}

/// Nobody is there.
struct NoNetwork: TransactionDelivery {
    func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome { .failed(.unanswered(after: nil)) }
}
