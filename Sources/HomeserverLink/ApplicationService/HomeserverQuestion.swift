import MatrixWire

/// A question of presenced's own to the homeserver, and who asks.
public struct HomeserverQuestion: Hashable, Sendable {
    /// In upper case.
    public var method: String
    /// Path and query as they stand on the request line.
    public var target: String
    /// Goes into `Authorization: Bearer`.
    public var token: String
    /// JSON; `nil` for no body.
    public var body: [UInt8]?
    /// A longer answer is as none.
    public var answerLimitBytes: Int

    /// A question as given.
    public init(
        _ method: String, _ target: String, token: String, body: [UInt8]? = nil, answerLimitBytes: Int = 1 << 20
    ) {
        self.method = method
        self.target = target
        self.token = token
        self.body = body
        self.answerLimitBytes = answerLimitBytes
    }
}

/// The whole answer to a question.
public struct HomeserverAnswer: Hashable, Sendable {
    /// The HTTP status code.
    public var status: Int
    /// At most the question's limit.
    public var body: [UInt8]

    /// An answer as given.
    public init(status: Int, body: [UInt8] = []) {
        self.status = status
        self.body = body
    }
}

/// Whoever takes questions to the homeserver.
public protocol HomeserverAsking: Sendable {
    /// - Throws: ``HomeserverTrouble``, ``HomeserverTrouble/Code/unreachable``, where no whole answer came.
    func ask(_ question: HomeserverQuestion) async throws(HomeserverTrouble) -> HomeserverAnswer
}

/// Why a question got no answer that could be used.
public struct HomeserverTrouble: Error, Hashable, Sendable {
    /// Callers branch on this alone.
    public enum Code: Hashable, Sendable {
        /// No answer, or one that says to come again later.
        case unreachable
        /// The homeserver says no: 401, 403, 404 or the like.
        case refused(status: Int, MatrixErrorCode)
        /// An answer in no shape that we know.
        case malformed
    }

    /// What happened.
    public var code: Code
    /// What was asked and what came of it, for the log; without tokens.
    public var message: String
    /// When to ask again, if the homeserver says.
    public var retryAfterMilliseconds: Int64?

    /// Trouble as given.
    public init(_ code: Code, _ message: String, retryAfterMilliseconds: Int64? = nil) {
        self.code = code
        self.message = message
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }

    /// The homeserver says no, with this status.
    func isRefusal(_ statuses: Int...) -> Bool {
        if case .refused(let status, _) = code { statuses.contains(status) } else { false }
    }
}
