import Foundation
import SocialTransport
import SocialWire

/// Why a social service did not do what it was asked.
public struct SocialClientError: Error, Hashable, Sendable {
    /// The kinds of failure that callers tell apart.
    public enum Code: Hashable, Sendable {
        /// The address is none that can be connected to, or the trusted certificates cannot be read.
        case badAddress
        /// No connection could be made.
        case unreachable
        /// The connection ended before the answer; whether it was done is not known.
        case connectionLost
        /// No answer in time; whether it was done is not known.
        case timedOut
        /// The credential is not good, or there is none.
        case unauthorized
        case forbidden
        /// Later it may be done.
        case tooManyRequests
        /// It cannot be done as things are.
        case refused
        /// The service failed.
        case failed
        /// The service does not offer it.
        case notOffered
        /// The service said what makes no sense.
        case malformed
    }

    /// Callers branch on this alone.
    public var code: Code
    /// What happened, in the service's words where it said something, made ``readable(_:)``.
    public let message: String

    /// An error as given.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = SocialClientError.readable(message)
    }

    /// Words of a service as they may be shown anywhere: visible ASCII, the rest question marks, and no more than
    /// ``RPCFarewell/wordsLimitBytes`` bytes of it.
    public static func readable(_ words: String) -> String { RPCFarewell.readable(words.utf8) }

    /// The refusal that `answer` is, of whichever procedure; `nil` if it is none.
    init?(in answer: Data) {
        guard let refusal = (try? FriendshipsRefusalArms(serializedBytes: answer))?.refusal else { return nil }
        switch refusal {
        case .internalServerError(let error): self.init(.failed, error.message)
        case .unauthorizedError(let error): self.init(.unauthorized, error.message)
        case .forbiddenError(let error): self.init(.forbidden, error.message)
        case .tooManyRequestsError(let error): self.init(.tooManyRequests, error.message)
        case .badRequestError(let error): self.init(.refused, error.message)
        }
    }
}
