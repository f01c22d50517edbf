import AuthChain
import MatrixWire
import PresenceModel
import SocialEngine
import SocialTransport
import Synchronization

/// Says whose a Matrix access token is: a file of our own, or the homeserver. Remembers it for some minutes at most.
public protocol MatrixTokenReading: Sendable {
    /// The user of `token`.
    /// - Throws: what the homeserver says against the token, or that it cannot be told now.
    func user(presenting token: String) async throws(MatrixErrorBody) -> UserID
}

/// Who is behind a request: the user of the token in it, or who logged in on its connection. Decision 27.
///
/// Tokens are handed on and never kept or logged here. A connection that shows many bad tokens, or fails to log in
/// again and again, is refused unheard for a while; but not those of its tokens that were good before: where many share
/// a connection, tokens of some that are over must not silence the others.
public final class SocialCredentials: Sendable {
    /// Which words say that there is no token: they depend on where it should have been. Facts: section 4.1.
    public enum MissingToken: String, Sendable {
        /// In the request itself.
        case synapseToken = "`synapse_token` was not provided"
        /// In a message within the request.
        case authToken = "`auth_token` was not provided"
    }

    private let tokens: any MatrixTokenReading
    private let now: @Sendable () -> Instant
    private let logins = Mutex<[RPCSessionID: SocialAddress]>([:])
    private let refusals = Mutex<[RPCSessionID: Refusals]>([:])
    /// Hashes of tokens that were good, by connection; another token of the same hash is heard, no more.
    private let heard = Mutex<[RPCSessionID: Set<Int>]>([:])

    /// Refused tokens, and logins, of a connection after which it is refused unheard; one is forgiven every second.
    public static let refusalBurst = 20

    /// Tokens of a connection that are known for good; past it further ones share the others' fate.
    public static let heardLimit = 4096

    private struct Refusals {
        var count: Double
        var at: Instant

        func count(at now: Instant) -> Double { max(0, count - Double(now.milliseconds(since: at)) / 1000) }
    }

    /// - Parameters:
    ///   - tokens: whose a Matrix token is.
    ///   - now: the time on the one axis.
    public init(tokens: any MatrixTokenReading, now: @escaping @Sendable () -> Instant) {
        self.tokens = tokens
        self.now = now
    }

    /// Connections on which somebody is logged in.
    public var loginCount: Int { logins.withLock { $0.count } }

    func caller(
        on session: RPCSessionID, token: String?, missing: MissingToken
    ) async throws(SocialRefusal) -> SocialCaller {
        let id = SocialSessionID(session.number)
        if let token, !token.isEmpty {
            let address = try await address(of: token, on: session)
            return SocialCaller(address: address, session: id, token: token)
        }
        guard let address = logins.withLock({ $0[session] }) else { throw .unauthorized(missing.rawValue) }
        return SocialCaller(address: address, session: id)
    }

    /// Whether `token` still opens what it opened; also if that cannot be told now.
    func isStill(_ address: SocialAddress, token: String) async -> Bool {
        do throws(MatrixErrorBody) {
            let user = try await tokens.user(presenting: token)
            return (try? SocialAddress(parsing: user.text)) == address
        } catch {
            return error.status != 401 && error.status != 403
        }
    }

    /// Takes a login by the signatures of a wallet. Facts: sections 4.1 and 6.1.
    /// - Returns: `nil`, or why not, for the client.
    func logIn(
        _ session: RPCSessionID, chain text: String, address: String, timestamp: String
    ) -> String? {
        guard !isRefusedUnheard(session) else { return "Too many attempts. Please try again later" }
        // Good ones count too: they cost as much.
        noteRefusal(session)
        do throws(AuthChainError) {
            let signer = try AuthChain(parsing: text).signer(ofTimestamp: timestamp, at: now())
            guard EthereumAddress(address) == signer else { throw .otherAddress }
            return enter(session, signer)
        } catch {
            return error.message
        }
    }

    func forget(_ session: RPCSessionID) {
        _ = logins.withLock { $0.removeValue(forKey: session) }
        _ = refusals.withLock { $0.removeValue(forKey: session) }
        _ = heard.withLock { $0.removeValue(forKey: session) }
    }

    private func address(of token: String, on session: RPCSessionID) async throws(SocialRefusal) -> SocialAddress {
        let wasGood = heard.withLock { $0[session]?.contains(token.hashValue) ?? false }
        guard wasGood || !isRefusedUnheard(session) else { throw .tooManyRequests("Too many bad tokens") }
        let user: UserID
        do throws(MatrixErrorBody) {
            user = try await tokens.user(presenting: token)
        } catch {
            if error.status == 401 || error.status == 403 {
                noteRefusal(session)
                _ = heard.withLock { $0[session]?.remove(token.hashValue) }
            }
            throw SocialRefusal(error)
        }
        if !wasGood { noteGood(token, session) }
        // Localparts of old may hold what no address does.
        guard let address = try? SocialAddress(parsing: user.text) else {
            throw .forbidden("The user's name cannot be an address")
        }
        return address
    }

    private func isRefusedUnheard(_ session: RPCSessionID) -> Bool {
        let instant = now()
        return refusals.withLock { refusals in
            guard let past = refusals[session] else { return false }
            return past.count(at: instant) > Double(SocialCredentials.refusalBurst) - 1
        }
    }

    private func noteGood(_ token: String, _ session: RPCSessionID) {
        heard.withLock { heard in
            guard heard[session, default: []].count < SocialCredentials.heardLimit else { return }
            heard[session, default: []].insert(token.hashValue)
        }
    }

    private func noteRefusal(_ session: RPCSessionID) {
        let instant = now()
        refusals.withLock { refusals in
            let count = refusals[session]?.count(at: instant) ?? 0
            refusals[session] = Refusals(count: count + 1, at: instant)
        }
    }

    /// A connection is one user's: who else wants to log in takes another.
    private func enter(_ session: RPCSessionID, _ signer: EthereumAddress) -> String? {
        // An Ethereum address is always a social one.
        guard let address = try? SocialAddress(parsing: signer.text) else { return "The address is not valid" }
        return logins.withLock { logins in
            if let present = logins[session], present != address {
                return "Another address is logged in on this connection"
            }
            logins[session] = address
            return nil
        }
    }
}
