import AsyncHTTPClient
import MatrixWire
import NIOCore
import NIOPosix

/// Why the homeserver gave no answer, or not a whole one.
public struct UpstreamError: Error, Sendable {
    /// Callers branch on this alone.
    public enum Code: Hashable, Sendable {
        /// No connection came about.
        case unreachable
        /// A connection, but no answer in time; or the answer stood still.
        case timedOut
        /// The connection broke before the answer was whole, or the answer is none.
        case broken
        /// Whoever asked went away, or we stop.
        case cancelled
    }

    /// What happened.
    public var code: Code
    /// For the log.
    public var cause: any Error

    init(_ code: Code, cause: any Error) {
        self.code = code
        self.cause = cause
    }

    init(_ cause: any Error, whileReading: Bool) {
        self.cause = cause
        code = UpstreamError.code(of: cause, whileReading: whileReading)
    }

    /// For clients and other servers: 502, or 504 for what took too long.
    public var refusal: MatrixErrorBody {
        switch code {
        case .timedOut: MatrixErrorBody(.unknown, "The homeserver did not answer in time.", status: 504)
        case .unreachable, .broken, .cancelled:
            MatrixErrorBody(.unknown, "The homeserver could not be reached.", status: 502)
        }
    }

    /// The connection had served others, and was closed before it answered this request.
    var isStaleConnection: Bool {
        guard let cause = cause as? HTTPClientError else { return false }
        return cause == .remoteConnectionClosed
    }

    private static func code(of cause: any Error, whileReading: Bool) -> Code {
        if cause is CancellationError { return .cancelled }
        if let cause = cause as? HTTPClientError {
            switch cause {
            case .cancelled: return .cancelled
            case .connectTimeout, .getConnectionFromPoolTimeout: return .unreachable
            case .readTimeout, .writeTimeout, .deadlineExceeded: return .timedOut
            default: return .broken
            }
        }
        if whileReading { return .broken }
        return cause is NIOConnectionError || cause is IOError ? .unreachable : .broken
    }
}
