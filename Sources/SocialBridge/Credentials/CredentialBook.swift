import AuthChain
import BridgeEngine
import PresenceModel
import SocialEngine
import Synchronization

/// Keeps over restarts what users handed over. The store's shell conforms to it.
public protocol CredentialKeeping: Sendable {
    /// In the place of the one that the user had of the kind.
    /// - Throws: the one of before stays.
    func keep(_ credential: HandedCredential) async throws
    /// Nothing happens if there is none.
    /// - Throws: it stays.
    func removeCredential(_ kind: HandedCredential.Kind, of user: UserID) async throws
}

/// Gets tokens in users' names: the application service.
public struct TokenLogin: Sendable {
    /// The user's token; the same until it is forgotten.
    public var token: @Sendable (UserID) async throws(CredentialTrouble) -> String
    /// The service did not take that token: the next one is to be another.
    public var forget: @Sendable (UserID, String) async -> Void

    /// A login as given.
    public init(
        token: @escaping @Sendable (UserID) async throws(CredentialTrouble) -> String,
        forget: @escaping @Sendable (UserID, String) async -> Void
    ) {
        self.token = token
        self.forget = forget
    }
}

/// By what sessions with the external service are opened: what the user handed over, else the operator's file, else a
/// login by the application service.
///
/// What a user handed over is given for the address that they were linked to then. A login is for who is known at the
/// service by their own name: it takes the token for that user, whoever they are linked to. What was refused is not given
/// again in this run; a service may have had its reasons, so after a restart it is tried once more.
public actor CredentialBook: SessionCredentials {
    /// What the service takes.
    public enum Form: Hashable, Sendable {
        case tokens
        case identities

        fileprivate var kind: HandedCredential.Kind {
            switch self {
            case .tokens: .token
            case .identities: .identity
            }
        }
    }

    /// Users whose wakes are not taken yet; past this the oldest are lost, and those users wait for their next attempt.
    private static let wakesLimit = 100_000

    private struct Slot: Hashable {
        var user: UserID
        var kind: HandedCredential.Kind
    }

    /// What the service takes.
    public nonisolated let form: Form
    private let keeping: any CredentialKeeping
    private let login: TokenLogin?
    private let wall: @Sendable () -> Instant
    private var handed: [Slot: HandedCredential]
    /// Of ``handed``, secrets that were refused.
    private var refusedHanded: [Slot: String] = [:]
    private let turns = Turns<UserID>()
    /// Of the operator's file.
    private var filed: [UserID: String] = [:]
    /// Tokens of the file that were refused.
    private var refusedFiled: [UserID: String] = [:]
    /// In the order in which they came, by number.
    private nonisolated let listeners = Mutex<(next: Int, all: [Int: AsyncStream<UserID>.Continuation])>((0, [:]))

    /// - Parameters:
    ///   - saved: what was handed over in earlier runs.
    ///   - login: asked last, for tokens; `nil`: nobody is.
    ///   - wall: the wall clock, by which credentials expire.
    public init(
        form: Form, saved: [HandedCredential], keeping: any CredentialKeeping, login: TokenLogin? = nil,
        wall: @escaping @Sendable () -> Instant
    ) {
        self.form = form
        self.keeping = keeping
        self.login = login
        self.wall = wall
        handed = Dictionary(
            saved.map { (Slot(user: $0.user, kind: $0.kind), $0) }, uniquingKeysWith: { _, latest in latest })
    }

    // MARK: Sessions

    /// As the service takes it.
    public func credential(
        of user: UserID, at address: SocialAddress
    ) async throws(CredentialTrouble) -> SessionCredential {
        switch form {
        case .tokens: .token(try await token(of: user, at: address))
        case .identities: .identity(try identity(of: user, at: address))
        }
    }

    /// A handed-over one stays, marked; a login's is forgotten, so that the next is another.
    public func refused(_ credential: SessionCredential, of user: UserID) async {
        switch credential {
        case .token(let token):
            let slot = Slot(user: user, kind: .token)
            if handed[slot]?.secret == token {
                refusedHanded[slot] = token
            } else if filed[user] == token {
                refusedFiled[user] = token
            } else {
                await login?.forget(user, token)
            }
        case .identity(let identity):
            let slot = Slot(user: user, kind: .identity)
            // What was refused late may be another than there is now.
            guard let own = handed[slot],
                let kept = try? EphemeralIdentity(parsing: own.secret, at: .epoch), kept.isSame(as: identity)
            else { return }
            refusedHanded[slot] = own.secret
        }
    }

    /// Of users who handed something over or took it back, and whose token in the file is another or gone, from this call
    /// on.
    public nonisolated func changes() -> AsyncStream<UserID> {
        AsyncStream(bufferingPolicy: .bufferingNewest(CredentialBook.wakesLimit)) { continuation in
            let number = listeners.withLock { listeners in
                defer { listeners.next += 1 }
                listeners.all[listeners.next] = continuation
                return listeners.next
            }
            continuation.onTermination = { [weak self] _ in
                _ = self?.listeners.withLock { $0.all.removeValue(forKey: number) }
            }
        }
    }

    // MARK: What comes in

    /// Takes the file's tokens in the place of those of before; who has another one, or none any more, is woken.
    public func take(_ tokens: [UserID: String]) {
        let before = filed
        filed = tokens
        refusedFiled = refusedFiled.filter { tokens[$0.key] == $0.value }
        let users = Set(before.keys).union(tokens.keys).sorted()
        for user in users where before[user] != tokens[user] { wake(user) }
    }

    /// Takes what a user hands over, in the place of what they handed over before; it is on disk by the return.
    /// - Throws: what the store throws; the one of before stays.
    public func handOver(_ credential: HandedCredential) async throws {
        try await turns.take(credential.user) { await self.keep(credential) }.get()
    }

    /// Forgets what the user handed over; it is gone from the disk by the return. The session that was opened with it goes
    /// on until it ends; the next one is opened with something else.
    /// - Throws: what the store throws; what could not be removed stays.
    public func takeBack(of user: UserID) async throws {
        try await turns.take(user) { await self.remove(of: user) }.get()
    }

    private func keep(_ credential: HandedCredential) async -> Result<Void, any Error> {
        do {
            try await keeping.keep(credential)
        } catch {
            return .failure(error)
        }
        let slot = Slot(user: credential.user, kind: credential.kind)
        handed[slot] = credential
        refusedHanded[slot] = nil
        wake(credential.user)
        return .success(())
    }

    private func remove(of user: UserID) async -> Result<Void, any Error> {
        for kind in HandedCredential.Kind.allCases {
            let slot = Slot(user: user, kind: kind)
            guard handed[slot] != nil else { continue }
            do {
                try await keeping.removeCredential(kind, of: user)
            } catch {
                return .failure(error)
            }
            handed[slot] = nil
            refusedHanded[slot] = nil
            wake(user)
        }
        return .success(())
    }

    // MARK: How it stands

    /// What the user handed over, without the secrets.
    public func handedOver(by user: UserID) -> [CredentialView] {
        HandedCredential.Kind.allCases.compactMap { kind in view(Slot(user: user, kind: kind)) }
    }

    /// Of how many users there are credentials; whom a login is for is not counted.
    public var counts: Counts {
        let own = handed.keys.filter { $0.kind.form == form }
        return Counts(handed: own.count { view($0)?.state == .good }, filed: filed.count)
    }

    /// Of how many users there are credentials.
    public struct Counts: Hashable, Sendable {
        /// Who handed one over that is good as far as it is known.
        public var handed: Int
        /// Who is in the operator's file.
        public var filed: Int

        /// Counts as given.
        public init(handed: Int, filed: Int) {
            self.handed = handed
            self.filed = filed
        }
    }

    /// Why no session can be opened for the user at that address for want of a credential, as a kind of
    /// ``SocialSideReport/failures``; `nil`: there is one, or may be.
    public func lack(of user: UserID, at address: SocialAddress) -> String? {
        let (own, line) = (view(Slot(user: user, kind: form.kind), at: address), filed[user])
        if own?.state == .good { return nil }
        if form == .tokens {
            if let line, refusedFiled[user] != line { return nil }
            if loginForTokens(of: user, at: address) != nil { return nil }
            return own == nil && line == nil ? "no_credential" : "unauthorized"
        }
        return own == nil ? "no_credential" : "unauthorized"
    }

    // MARK: Means

    private func view(_ slot: Slot) -> CredentialView? {
        handed[slot].map { CredentialView($0, isRefused: refusedHanded[slot] == $0.secret, at: wall()) }
    }

    /// `nil`, too, for one that speaks for another address.
    private func view(_ slot: Slot, at address: SocialAddress) -> CredentialView? {
        view(slot).flatMap { $0.address == address ? $0 : nil }
    }

    private func token(of user: UserID, at address: SocialAddress) async throws(CredentialTrouble) -> String {
        let slot = Slot(user: user, kind: .token)
        let own = view(slot, at: address)
        if own?.state == .good, let secret = handed[slot]?.secret { return secret }
        let filed = filed[user]
        if let filed, refusedFiled[user] != filed { return filed }
        if let login = loginForTokens(of: user, at: address) { return try await login.token(user) }
        throw own == nil && filed == nil ? .none : .expired
    }

    /// For users who are known at the service by their own name.
    private func loginForTokens(of user: UserID, at address: SocialAddress) -> TokenLogin? {
        (try? SocialAddress(parsing: user.text)) == address ? login : nil
    }

    private func identity(of user: UserID, at address: SocialAddress) throws(CredentialTrouble) -> EphemeralIdentity {
        let slot = Slot(user: user, kind: .identity)
        guard let own = handed[slot] else { throw .none }
        guard view(slot, at: address)?.state == .good,
            let identity = try? EphemeralIdentity(parsing: own.secret, at: wall())
        else { throw .expired }
        return identity
    }

    private func wake(_ user: UserID) {
        let all = listeners.withLock { $0.all.sorted { $0.key < $1.key }.map(\.value) }
        for listener in all { listener.yield(user) }
    }
}

extension HandedCredential.Kind {
    /// Of which services take it.
    var form: CredentialBook.Form {
        switch self {
        case .token: .tokens
        case .identity: .identities
        }
    }
}

/// What a user handed over, as they and the operator may see it.
public struct CredentialView: Hashable, Sendable {
    /// Whether it is given to sessions.
    public enum State: String, Hashable, Sendable {
        case good, expired, refused
    }

    /// What it is.
    public var kind: HandedCredential.Kind
    /// Whether it is given to sessions.
    public var state: State
    /// Whose it is.
    public var address: SocialAddress
    /// `nil`: nobody said.
    public var expires: Instant?

    init(_ credential: HandedCredential, isRefused: Bool, at now: Instant) {
        kind = credential.kind
        address = credential.address
        expires = credential.expires
        state = isRefused ? .refused : credential.expires.map { $0 <= now } ?? false ? .expired : .good
    }
}
