import BridgeEngine
import PresenceModel
import SocialBridge
import SocialEngine
import Synchronization

/// A service whose sessions a test plays: what is asked of them waits until the test answers it.
final class PlayedBridged: BridgedService {
    let takesCredentials: Bool
    let sessionsLimit: Int?
    private let sharesConnections: Bool
    private let sessions = Mutex<[PlayedSession]>([])

    /// - Parameter sharesConnections: there never is a connection that stands.
    init(takesCredentials: Bool = false, sessionsLimit: Int? = nil, sharesConnections: Bool = false) {
        self.sharesConnections = sharesConnections
        self.takesCredentials = takesCredentials
        self.sessionsLimit = sessionsLimit
    }

    /// All that were made, in order.
    var made: [PlayedSession] { sessions.withLock { $0 } }

    func session(
        of user: UserID, at address: SocialAddress, with credential: SessionCredential?
    ) async throws(BridgedSessionError) -> any BridgedSession {
        let session = PlayedSession(sharesConnection: sharesConnections)
        sessions.withLock { $0.append(session) }
        return session
    }

    func connections() async -> (standing: Int, limit: Int) { (0, 0) }
}

final class PlayedSession: BridgedSession {
    private let sharesConnection: Bool

    init(sharesConnection: Bool) { self.sharesConnection = sharesConnection }

    private struct State {
        var asked: [String] = []
        var waiting: [String: CheckedContinuation<BridgedSessionError?, Never>] = [:]
        var tell: AsyncStream<BridgedWord?>.Continuation?
        var end: BridgedSessionError?
        var lives = 0
    }

    private let state = Mutex(State())

    /// What was asked of it, in order.
    var asked: [String] { state.withLock { $0.asked } }

    var lives: Int { state.withLock { $0.lives } }

    /// What it tells next.
    func tell(_ words: BridgedWord...) { for word in words { _ = state.withLock { $0.tell }?.yield(word) } }

    /// Ends the life.
    func end(_ error: BridgedSessionError) {
        state.withLock { $0.end = error }
        state.withLock { $0.tell }?.yield(nil)
    }

    /// Lets go of what was asked, when it has been.
    func answer(_ word: String, _ error: BridgedSessionError? = nil) async -> Bool {
        guard await comes({ self.state.withLock { $0.waiting[word] != nil } }) else { return false }
        state.withLock { $0.waiting.removeValue(forKey: word) }?.resume(returning: error)
        return true
    }

    private func ask(_ word: String) async throws {
        let error = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { state in
                    state.asked.append(word)
                    state.waiting[word] = continuation
                }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: word) }?.resume(returning: .init(.lost, "cancelled"))
        }
        if let error { throw error }
    }

    func follow(_ tell: @escaping @Sendable (BridgedWord) async -> Void) async throws {
        let (words, told) = AsyncStream.makeStream(of: BridgedWord?.self)
        state.withLock { state in
            state.tell = told
            state.lives += 1
        }
        for await word in words {
            guard let word else { break }
            await tell(word)
        }
        throw state.withLock { $0.end } ?? BridgedSessionError(.lost, "cancelled")
    }

    func reread() { state.withLock { $0.asked.append("reread") } }

    func heartbeat(_ whereabouts: Whereabouts?, _ state: FriendState) async throws -> Bool {
        try await ask("heartbeat \(state) \(whereabouts?.parcel.map { "\($0.x)" } ?? "-")")
        return true
    }

    var waitsForConnection: Bool { get async { sharesConnection } }

    func leave() async throws { try await ask("leave") }

    func act(_ action: FriendshipAction, towards other: SocialAddress) async throws {
        try await ask("\(action) \(other)")
    }

    func close() async { state.withLock { $0.asked.append("close") } }
}
