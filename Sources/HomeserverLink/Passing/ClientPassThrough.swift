import ClientGateway
import MatrixHTTP
import MatrixWire
import PresenceRuntime
import Synchronization

/// Passes clients' requests on, and learns from them in passing: who does something, and which sessions end.
///
/// Nothing of it delays a request or its answer. A user acts by sending, typing, and reading; what is done with an
/// application service's token, or in somebody else's name, is nobody's activity. Facts: sections 3 (design) and 4.
public struct ClientPassThrough: Sendable {
    /// The most tokens that are looked up at once only to learn who acted; what comes on top is let go.
    public static var lookupLimit: Int { 64 }

    private let passing: PassThrough
    private let tokens: WhoamiTokens
    private let runtime: PresenceRuntime
    private let logins: LoginAnswers
    private let lookups = Lookups()

    /// For the listener that clients come to.
    public init(
        _ passing: PassThrough, tokens: WhoamiTokens, runtime: PresenceRuntime, logins: LoginAnswers = .passed
    ) {
        self.passing = passing
        self.tokens = tokens
        self.runtime = runtime
        self.logins = logins
    }

    /// Passes `request` on.
    /// - Throws: as ``PassThrough/answer(_:)``.
    public func answer(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let meaning = PassingMeaning(of: request)
        var watching = PassThrough.Watching { status, _ in
            if status == 401 { tokens.forgetToken(of: request) }
            guard status == 200 else { return }
            switch meaning {
            case .activity: noteActivity(in: request)
            case .endOfSession: endSession(of: request)
            case .endOfSessions: tokens.forgetUser(of: request)
            case .beginOfSession, .nothing: break
            }
        }
        if meaning == .beginOfSession { watching.rewritten = logins.reading(into: tokens) }
        return try await passing.answer(request, watching)
    }

    private func endSession(of request: MatrixRequest) {
        let caller = tokens.remembered(request)
        tokens.forgetToken(of: request)
        guard let caller, caller.kind != .applicationService else { return }
        Task { await runtime.submit(.presence(.deviceRevoked(caller.key))) }
    }

    private func noteActivity(in request: MatrixRequest) {
        // In somebody else's name.
        guard case .some(.none) = try? request.queryValue("user_id") else { return }
        if let caller = tokens.remembered(request) {
            guard caller.kind != .applicationService else { return }
            Task { await runtime.submit(.presence(.deviceActed(caller.key))) }
            return
        }
        guard lookups.begin() else { return }
        Task {
            if let caller = try? await tokens.caller(of: request), caller.kind != .applicationService {
                await runtime.submit(.presence(.deviceActed(caller.key)))
            }
            lookups.end()
        }
    }
}

/// How many look-ups are under way.
private final class Lookups: Sendable {
    private let count = Mutex(0)

    func begin() -> Bool {
        count.withLock { count in
            guard count < ClientPassThrough.lookupLimit else { return false }
            count += 1
            return true
        }
    }

    func end() { count.withLock { $0 -= 1 } }
}

/// What it means for presence that the homeserver did what a request asks for.
enum PassingMeaning: Hashable {
    case nothing
    /// Its user does something.
    case activity
    /// A session begins; the answer has its token.
    case beginOfSession
    /// The session that it belongs to ends.
    case endOfSession
    /// Sessions of its user end, this one or others.
    case endOfSessions

    init(of request: MatrixRequest) { self.init(request.method, request.path) }

    init(_ method: String, _ path: Substring) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 5, parts[0].isEmpty, parts[1] == "_matrix", parts[2] == "client" else {
            self = .nothing
            return
        }
        // `api/v1` is the one prefix of two segments.
        let rest = parts.dropFirst(parts[3] == "api" ? 5 : 4)
        self = PassingMeaning.meaning(method, Array(rest))
    }

    private static func meaning(_ method: String, _ parts: [Substring]) -> PassingMeaning {
        switch (method, parts.first, parts.count) {
        case ("PUT", "rooms", 5...), ("POST", "rooms", 3...):
            let isActivity: Bool =
                switch (method, parts[2], parts.count) {
                case ("PUT", "send", 5), ("POST", "send", 4), ("POST", "receipt", 5), ("POST", "read_markers", 3): true
                default: false
                }
            return isActivity ? .activity : .nothing
        case ("PUT", "rooms", 4): return parts[2] == "typing" ? .activity : .nothing
        case ("POST", "login", 1): return .beginOfSession
        case ("POST", "logout", 1): return .endOfSession
        case ("POST", "logout", 2): return .endOfSessions
        case ("DELETE", "devices", 2), ("POST", "delete_devices", 1), ("POST", "account", 2): return .endOfSessions
        default: return .nothing
        }
    }
}
