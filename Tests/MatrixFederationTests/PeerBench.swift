import FederationEngine
import HTTPTypes
import HummingbirdCore
import Logging
import MatrixWire
import NIOCore
import NIOPosix
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization
import Testing

@testable import MatrixFederation
@testable import MatrixHTTP

/// The federation's gateway of `x.org` on a runtime of its own, and requests of other servers to it without a socket.
/// It knows the keys of `a.org` and `b.org`, and can fetch none.
struct PeerBench: Sendable {
    /// What came back.
    struct Reply: Sendable {
        var status: Int
        var text: String
        var retryAfter: String?
        var json: JSONValue { (try? JSONParser.strict.parse(Array(text.utf8)).value) ?? .null }
        /// `200` or, for refusals, `404 M_NOT_FOUND`.
        var verdict: String { json["errcode"]?.string.map { "\(status) \($0)" } ?? "\(status)" }
    }

    /// A request as it stands on the wire.
    struct Written: Hashable, Sendable {
        var method: String
        var target: String
        var authorization: String?
        var body: [UInt8]?
    }

    static let empty = #"{"edus":[],"origin":"a.org","origin_server_ts":1,"pdus":[]}"#
    static let quiet = Logger(label: "quiet", factory: { _ in SwiftLogNoOpLogHandler() })

    let clock = HandClock()
    let disk = Disk()
    let runtime: PresenceRuntime
    let gateway: FederationGateway
    let name: ServerName
    private let keys: [String: SigningKey]

    init(
        name: String = "x.org", directions: PresenceInstance.Directions = .both,
        pinned: KeyRing.Pinned = [:], _ configure: (inout FederationGateway.Configuration) throws -> Void = { _ in }
    ) async throws {
        self.name = try ServerName(parsing: name)
        var keys: [String: SigningKey] = [:]
        var pinned = pinned
        for peer in ["a.org", "b.org"] {
            let key = SigningKey.generate()
            keys[peer] = key
            pinned[try ServerName(parsing: peer)] = [key.id: key.publicKey]
        }
        self.keys = keys
        let instance = PresenceInstance(
            presence: PresenceEngine(server: self.name),
            federation: FederationEngine(server: self.name, boot: 7, seed: 1), directions: directions)
        runtime = PresenceRuntime(instance: instance, clock: clock, journal: disk, delivery: NoDelivery(), boot: 7)
        await runtime.start(from: PresenceInstance.Snapshot())
        // Closed: whoever is not pinned cannot be reached.
        let transport = try FederationTransport(
            configuration: .init(), group: MultiThreadedEventLoopGroup.singleton, clock: clock, logger: PeerBench.quiet)
        try await transport.shutdown()
        var configuration = FederationGateway.Configuration()
        configuration.directions = directions
        try configure(&configuration)
        gateway = FederationGateway(
            server: self.name, ownKeys: OwnKeys([.generate()]),
            keys: KeyRing(
                pinned: pinned, transport: transport, clock: clock, validityLimit: .hours(1), logger: PeerBench.quiet),
            runtime: runtime, configuration: configuration, clock: clock, logger: PeerBench.quiet, isUser: { _ in true }
        )
    }

    /// A request in the name of `origin`, signed by its key.
    func signed(
        _ method: String, _ target: String, from origin: String, to destination: String? = nil, _ body: String? = nil,
        signing content: String? = nil
    ) throws -> Written {
        let (origin, destination) = (
            try ServerName(parsing: origin), try ServerName(parsing: destination ?? name.text)
        )
        let key = keys[origin.text] ?? .generate()
        let bytes = SignedRequest.signingBytes(
            method: method, uri: target, origin: origin, destination: destination,
            content: (content ?? body).map { Array($0.utf8) })
        let header = XMatrixHeader(
            origin: origin, destination: destination, keyID: key.id, signature: key.sign(bytes))
        return Written(method: method, target: target, authorization: header.text, body: body.map { Array($0.utf8) })
    }

    func ask(_ written: Written) async throws -> Reply {
        try await ask(written, RequestBody(buffer: ByteBuffer(bytes: written.body ?? [])))
    }

    /// - Parameter announced: what the request says of its body's length.
    func ask(_ written: Written, _ body: RequestBody, announced: Int? = nil) async throws -> Reply {
        var fields: HTTPFields = [:]
        fields[.authorization] = written.authorization
        fields[.contentLength] = announced.map { "\($0)" }
        let method = try #require(HTTPRequest.Method(rawValue: written.method))
        let head = HTTPRequest(
            method: method, scheme: "https", authority: "x.org", path: written.target, headerFields: fields)
        let answer = await gateway.routes.answer(MatrixRequest(Request(head: head, body: body)))
        guard case .bytes(let buffer) = answer.body else { return Reply(status: answer.status, text: "") }
        return Reply(
            status: answer.status, text: String(buffer: buffer), retryAfter: answer.headers[.retryAfter])
    }

    /// Sends a transaction, and says how it was answered.
    func send(_ id: String, from origin: String, _ body: String = PeerBench.empty) async throws -> String {
        try await ask(try signed("PUT", "/_matrix/federation/v1/send/\(id)", from: origin, body)).verdict
    }

    /// Lets others run until it is so.
    func waits(until isSo: () async -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while await !isSo() {
            try #require(ContinuousClock.now < deadline, "it did not come to that")
            await Task.yield()
        }
    }
}

/// A clock that stands until it is moved by hand.
final class HandClock: PresenceClock {
    private let instant = Mutex(Instant(millisecondsSinceEpoch: 1_700_000_000_000))

    var now: Instant { instant.withLock { $0 } }

    func move(by duration: Duration) { instant.withLock { $0 = $0 + duration } }
}

/// A disk that takes everything, or nothing, or lets everybody wait.
final class Disk: Journal {
    struct Full: Error {}

    private struct State {
        var isFull = false
        var isSlow = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func fill(_ isFull: Bool) { state.withLock { $0.isFull = isFull } }

    func slow(_ isSlow: Bool) {
        let ready = state.withLock { state in
            state.isSlow = isSlow
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in ready { continuation.resume() }
    }

    var waiting: Int { state.withLock { $0.waiting.count } }

    func append(_ records: [PresenceInstance.Record]) {}

    func settle() async throws {
        await withCheckedContinuation { continuation in
            let isThrough = state.withLock { state in
                if state.isSlow { state.waiting.append(continuation) }
                return !state.isSlow
            }
            if isThrough { continuation.resume() }
        }
        if state.withLock({ $0.isFull }) { throw Full() }
    }
}
