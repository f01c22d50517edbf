import AuthChain
import BridgeEngine
import BridgeGateway
import ClientGateway
import Foundation
import HTTPTypes
import HummingbirdCore
import MatrixWire
import NIOCore
import PresenceModel
import PresenceRuntime
import SocialBridge
import SocialEngine
import Synchronization
import Testing

@testable import MatrixHTTP

/// A clock that stands until it is moved.
final class TestClock: PresenceClock {
    private let instant = Mutex(Instant(millisecondsSinceEpoch: 1_790_000_000_000))

    var now: Instant { instant.withLock { $0 } }

    func move(_ duration: Duration) { instant.withLock { $0 = $0 + duration } }
}

/// Takes every row, or none.
final class TestDisk: BridgeJournal, CredentialKeeping {
    struct Full: Error {}

    private struct State {
        var isFull = false
        var credentials: [HandedCredential] = []
        var isHeld = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var isFull: Bool {
        get { state.withLock { $0.isFull } }
        set { state.withLock { $0.isFull = newValue } }
    }

    var credentials: [HandedCredential] { state.withLock { $0.credentials } }

    /// Rows that are being written.
    var writers: Int { state.withLock { $0.waiting.count } }

    /// From now on rows take until ``release()``.
    func hold() { state.withLock { $0.isHeld = true } }

    func release() {
        let waiting = state.withLock { state in
            defer { (state.isHeld, state.waiting) = (false, []) }
            return state.waiting
        }
        for waiter in waiting { waiter.resume() }
    }

    func write(_ records: [BridgeEngine.Record]) async throws {
        await withCheckedContinuation { waiter in
            let isHeld = state.withLock { state in
                if state.isHeld { state.waiting.append(waiter) }
                return state.isHeld
            }
            if !isHeld { waiter.resume() }
        }
        if isFull { throw Full() }
    }

    func keep(_ credential: HandedCredential) async throws {
        if isFull { throw Full() }
        state.withLock { state in
            state.credentials.removeAll { $0.user == credential.user && $0.kind == credential.kind }
            state.credentials.append(credential)
        }
    }

    func removeCredential(_ kind: HandedCredential.Kind, of user: UserID) async throws {
        if isFull { throw Full() }
        state.withLock { $0.credentials.removeAll { $0.user == user && $0.kind == kind } }
    }
}

/// A service that is told everything and says nothing.
struct SilentSide: SocialSide, MatrixSide {
    func carryOut(_ order: SocialOrder) {}
    func carryOut(_ order: MatrixOrder) {}
    func run(telling ears: any BridgeEars) async {}
    func report() async -> SocialSideReport {
        var report = SocialSideReport()
        report.connectionsLimit = 20
        report.failures = ["unauthorized": 2, "unreachable": 1]
        return report
    }
}

/// Tokens are the names of users; `guest` is one.
struct NamedTokens: Authenticating {
    func caller(of request: MatrixRequest) async throws(MatrixErrorBody) -> Caller {
        try await caller(presenting: try request.accessToken())
    }

    func caller(presenting token: String) async throws(MatrixErrorBody) -> Caller {
        guard let user = try? UserID(parsing: "@\(token):x.org"), let device = try? DeviceID(parsing: "D") else {
            throw MatrixErrorBody(.unknownToken, "Invalid access token passed.")
        }
        return Caller(key: DeviceKey(user: user, device: device), kind: token == "guest" ? .guest : .user)
    }

    func knows(_ user: UserID) async -> Bool { true }
}

/// The gateway before real engines, one for each service.
struct GatewayBench: Sendable {
    static let own = "/_matrix/client/unstable/org.presenced/bridge"
    static let admin = "/_presenced/admin/v1/bridge"

    let clock = TestClock()
    let disk = TestDisk()
    let book: CredentialBook
    let runtimes: [BridgeRuntime]
    let desk: RunningDesk
    private let routes: RouteTable

    /// - Parameter skew: so far the wall clock was set forward since the start.
    init(
        _ services: [BridgeDestination] = [.external, .embedded], form: CredentialBook.Form = .identities,
        skew: Duration = .zero,
        _ adjust: (inout BridgeEngine.Configuration) -> Void = { _ in }
    ) throws {
        var settings = BridgeEngine.Configuration()
        adjust(&settings)
        let server = try ServerName(parsing: "x.org")
        let (clock, disk) = (clock, disk)
        book = CredentialBook(form: form, saved: [], keeping: disk, wall: { clock.now + skew })
        runtimes = services.map { _ in
            BridgeRuntime(
                engine: BridgeEngine(server: server, configuration: settings, seed: 1), clock: clock, journal: disk,
                social: SilentSide(), matrix: SilentSide())
        }
        desk = RunningDesk(
            zip(services, runtimes).map { service, runtime in
                RunningDesk.Bridge(
                    setting: BridgeReport.Setting(
                        service: service, url: service == .external ? "wss://s.example:443/" : nil,
                        generation: service == .external ? "v2" : nil, matrix: "presenced", since: clock.now),
                    runtime: runtime, social: SilentSide())
            }, book: services.contains(.external) ? book : nil)
        let gateway = BridgeGateway(
            server: server, desk: desk, tokens: NamedTokens(), clock: clock, wall: { clock.now + skew })
        routes = RouteTable(gateway.userRoutes + gateway.operatorRoutes)
    }

    func ask(
        _ method: String, _ path: String, _ body: String = "", as user: String? = nil
    ) async throws -> (status: Int, body: JSONValue) {
        var fields: HTTPFields = [:]
        fields[.authorization] = user.map { "Bearer \($0)" }
        let head = HTTPRequest(
            method: try #require(HTTPRequest.Method(rawValue: method)), scheme: "http", authority: "x.org", path: path,
            headerFields: fields)
        let answer = await routes.answer(
            MatrixRequest(Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body)))))
        guard case .bytes(let buffer) = answer.body else { return (answer.status, .null) }
        return (answer.status, try JSONParser.strict.parse(Array(buffer.readableBytesView)).value)
    }

    func told(_ method: String, _ path: String, _ body: String = "", as user: String? = nil) async throws -> JSONValue {
        let (status, value) = try await ask(method, path, body, as: user)
        #expect(status == 200, "\(method) \(path): \(value)")
        return value
    }
}

/// Somebody with a wallet, and a key that it handed on to.
struct Wallet: Sendable {
    let wallet: EthereumKey
    let ephemeral: EthereumKey
    /// Of the ephemeral key.
    let secret: String

    /// - Parameter digit: from 1 to 9; another one, another wallet.
    init(_ digit: Int) throws {
        secret = "0x" + String(repeating: "\(digit)a", count: 32)
        wallet = try #require(EthereumKey("0x" + String(repeating: "0\(digit)", count: 32)))
        ephemeral = try #require(EthereumKey(secret))
    }

    var address: String { wallet.address.checksummed }

    /// The body of a proof; `user` is for whom it is signed.
    func proof(for user: String, at now: Instant, more: String = "", address: String? = nil) -> String {
        let stamp = "\(now.millisecondsSinceEpoch)"
        let chain = AuthChain.signing(
            "presenced link @\(user):x.org \(stamp)", wallet: wallet, ephemeral: ephemeral,
            expiration: now + .hours(1))
        return #"{"address":"\#(address ?? self.address)","timestamp":\#(stamp),"auth_chain":\#(chain.text)\#(more)}"#
    }

    /// What is handed over.
    func identity(until expiration: Instant, at now: Instant) -> String {
        let links = AuthChain.signing("x", wallet: wallet, ephemeral: ephemeral, expiration: expiration).links
        let chain = AuthChain(links: links.dropLast())
        return #"{"auth_chain":\#(chain.text),"ephemeral_private_key":"\#(secret)"}"#
    }
}
