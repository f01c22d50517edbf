import AuthChain
import PresenceModel
import SocialEngine
import Synchronization

/// That a user of Matrix has a wallet: the wallet, or a key that it handed on to, signs for this very user, now.
///
/// A login to a social service signs the time alone. That would not do here: whoever runs a service that a wallet logs in
/// to could link it to a user of theirs.
public struct LinkProof: Sendable {
    /// Whose wallet it is to be.
    public var user: UserID
    /// Milliseconds since the epoch, in decimal.
    public var timestamp: String
    /// Signs ``text``.
    public var chain: AuthChain

    /// A proof as given, not verified.
    public init(user: UserID, timestamp: String, chain: AuthChain) {
        self.user = user
        self.timestamp = timestamp
        self.chain = chain
    }

    /// What is signed: `presenced link @user:server TIMESTAMP`.
    public var text: String { "presenced link \(user) \(timestamp)" }

    /// Whose wallet signed.
    /// - Throws: ``AuthChainError``, for the time too: it may be ``AuthChain/window`` away from `now`.
    public func signer(at now: Instant) throws(AuthChainError) -> EthereumAddress {
        _ = try instant(at: now)
        return try chain.signer(of: text, at: now)
    }

    fileprivate func instant(at now: Instant) throws(AuthChainError) -> Instant {
        guard (1...16).contains(timestamp.utf8.count),
            timestamp.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let milliseconds = Int64(timestamp)
        else { throw .timestamp }
        let instant = Instant(millisecondsSinceEpoch: milliseconds)
        guard abs(now.milliseconds(since: instant)) <= AuthChain.window.inMilliseconds else { throw .stale }
        return instant
    }
}

/// Lets each proof count once: of one user, only one made later than the last.
final class SpentProofs: Sendable {
    /// Past this, proofs are refused until others are too old anyway.
    static let usersLimit = 100_000

    private let latest = Mutex<[UserID: Instant]>([:])

    /// Whether the proof may count; it is spent by that.
    func spend(_ proof: LinkProof, at now: Instant) -> Bool {
        guard let instant = try? proof.instant(at: now) else { return false }
        return latest.withLock { latest in
            if let last = latest[proof.user], instant <= last { return false }
            if latest.count >= SpentProofs.usersLimit {
                latest = latest.filter {
                    now.milliseconds(since: $0.value) <= AuthChain.window.inMilliseconds
                }
                guard latest.count < SpentProofs.usersLimit else { return false }
            }
            latest[proof.user] = instant
            return true
        }
    }
}
