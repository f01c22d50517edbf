import FederationEngine
import MatrixHTTP
import MatrixWire
import PresenceModel
import PresenceRuntime
import Synchronization

/// Takes presence and permissions in from requests that a homeserver has answered, behind them: nobody waits for
/// presence. Permissions are told once, until they are answered with 200: their answer waits until they are on disk.
///
/// A request tells only what its signature covers, which is checked here whatever the homeserver thinks. Of one server
/// one request is looked at after the other, in the order of the answers; a short queue waits, and past it what comes is
/// let go. Presence that is lost so is repaired as any that is lost on the way. Decision 20.
public final class FederationTap: Sendable {
    /// The most requests of one server that wait while one is looked at.
    public static var queueLimit: Int { 50 }
    /// A server that was heard within this time need not be heard again, unless it has something to say.
    static let lifeInterval: Duration = .seconds(5)
    private static let recentLimit = 10_000
    /// An answer is not held back for longer: room events wait in it too.
    static let patience: Duration = .seconds(5)

    private enum Content: Sendable {
        case transaction(id: String)
        /// Nothing for us, but for that its sender lives.
        case life
    }

    private struct Job: Sendable {
        var request: MatrixRequest
        var claim: RequestAuthentication.Claim
        var body: [UInt8]?
        var content: Content
        var share: BodyBudget<ServerName>.Share
        /// Ends when it was looked at.
        var done: AsyncStream<Void>.Continuation?
    }

    private struct State {
        var lanes: [ServerName: [Job]] = [:]
        var heard: [ServerName: Instant] = [:]
        var dropped = 0
    }

    private let gateway: FederationGateway
    private let state = Mutex(State())

    /// - Parameter gateway: whose keys, limits, and memory of transactions it shares.
    public init(_ gateway: FederationGateway) { self.gateway = gateway }

    /// The longest body of a transaction that is worth a copy.
    public var bodyLimit: Int { gateway.configuration.bodyLimitBytes }

    /// Requests that were let go because too many waited.
    public var droppedCount: Int { state.withLock { $0.dropped } }

    /// Servers of which something is being looked at.
    public var underway: Int { state.withLock { $0.lanes.count } }

    /// The homeserver answered `request` with 200. Returns at once, or with a permission in it when that is on disk, at
    /// most ``patience`` later.
    /// - Parameter body: the whole body, `nil` for a request without one.
    public func passed(_ request: MatrixRequest, body: [UInt8]?) async {
        guard let body, FederationTap.holdsPermission(body) else { return add(request, body: body, done: nil) }
        let (end, done) = AsyncStream.makeStream(of: Void.self)
        add(request, body: body, done: done)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in end {} }
            group.addTask { try? await Task.sleep(for: FederationTap.patience) }
            await group.next()
            group.cancelAll()
        }
    }

    private func add(_ request: MatrixRequest, body: [UInt8]?, done: AsyncStream<Void>.Continuation?) {
        var isTaken = false
        defer { if !isTaken { done?.finish() } }
        guard let claim = try? gateway.authentication.claim(of: request), claim.origin != gateway.server else { return }
        guard let content = content(of: request, body, from: claim.origin) else { return }
        let share = gateway.bodies.open(for: claim.origin)
        guard (try? share.take(body?.count ?? 0)) != nil else { return state.withLock { $0.dropped += 1 } }
        let job = Job(request: request, claim: claim, body: body, content: content, share: share, done: done)
        let isFirst = state.withLock { state -> Bool in
            guard let lane = state.lanes[claim.origin] else {
                state.lanes[claim.origin] = [job]
                isTaken = true
                return true
            }
            if lane.count < FederationTap.queueLimit {
                state.lanes[claim.origin]?.append(job)
                isTaken = true
            } else {
                state.dropped += 1
                share.close()
            }
            return false
        }
        guard isFirst else { return }
        Task { await work(through: claim.origin) }
    }

    private func content(of request: MatrixRequest, _ body: [UInt8]?, from origin: ServerName) -> Content? {
        if let body, let id = FederationTap.transactionID(of: request), FederationTap.isForUs(body) {
            return .transaction(id: id)
        }
        let now = gateway.clock.now
        let isNews = state.withLock { state in
            if let before = state.heard[origin], now < before + FederationTap.lifeInterval { return false }
            if state.heard.count >= FederationTap.recentLimit { state.heard = [:] }
            state.heard[origin] = now
            return true
        }
        return isNews ? .life : nil
    }

    /// One after the other, until the lane is empty.
    private func work(through origin: ServerName) async {
        while let job = state.withLock({ $0.lanes[origin]?.first }) {
            do throws(MatrixErrorBody) {
                try await look(at: job)
            } catch {
                gateway.logger.debug(
                    "a request that the homeserver answered is not taken in",
                    metadata: ["origin": "\(origin)", "reason": "\(error.message)"])
            }
            job.share.close()
            job.done?.finish()
            state.withLock { state in
                state.lanes[origin]?.removeFirst()
                if state.lanes[origin]?.isEmpty ?? false { state.lanes[origin] = nil }
            }
        }
    }

    private func look(at job: Job) async throws(MatrixErrorBody) {
        let origin = job.claim.origin
        if case .life = job.content {
            // Of whom nobody expects anything, the key need not be fetched.
            guard await gateway.runtime.isPeer(origin) else { return }
        }
        let key = try await gateway.authentication.key(of: job.claim)
        try await gateway.authentication.verify(job.request, body: job.body, job.claim, key: key)
        switch job.content {
        case .life: await gateway.runtime.submit(.federation(.heard(from: origin)))
        case .transaction(let id):
            try gateway.rate.take(for: origin)
            try await gateway.takeOnce(id, job.body ?? [], from: origin)
        }
    }

    private static func transactionID(of request: MatrixRequest) -> String? {
        let prefix = "/_matrix/federation/v1/send/"
        guard request.method == "PUT", request.path.hasPrefix(prefix) else { return nil }
        var id = request.path.dropFirst(prefix.count)
        if id.hasSuffix("/") { id = id.dropLast() }
        guard !id.isEmpty, !id.contains("/"), id.utf8.count <= FederationGateway.transactionIDLimitBytes else {
            return nil
        }
        return PercentEncoding.decode(id)
    }

    /// Whether a transaction names any EDU of ours, as far as a look at its bytes can tell; most hold room events only.
    static func isForUs(_ body: [UInt8]) -> Bool { holds(any: marks, body) }

    /// Whether it names a permission, by whichever of the two names; most hold none.
    static func holdsPermission(_ body: [UInt8]) -> Bool { isForUs(body) && holds(any: permissionMarks, body) }

    private static func holds(any marks: [[UInt8]], _ body: [UInt8]) -> Bool {
        marks.contains { mark in
            guard let first = mark.first, body.count >= mark.count else { return false }
            var place = body.startIndex
            while let start = body[place...].firstIndex(of: first), start + mark.count <= body.count {
                if body[start..<(start + mark.count)].elementsEqual(mark) { return true }
                place = start + 1
            }
            return false
        }
    }

    private static let marks = ["m.presence", "org.presenced"].map { Array("\"\($0)".utf8) }
    private static let permissionMarks = ["presence_invite", "presence_accept", "presence_deny"].map {
        Array("\($0)\"".utf8)
    }
}
