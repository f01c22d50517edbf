import AuthChain
import BridgeEngine
import PresenceModel
import PresenceRuntime
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
    /// The service did not take it: the next one is to be another.
    public var forget: @Sendable (UserID) async -> Void

    /// A login as given.
    public init(
        token: @escaping @Sendable (UserID) async throws(CredentialTrouble) -> String,
        forget: @escaping @Sendable (UserID) async -> Void
    ) {
        self.token = token
        self.forget = forget
    }
}

/// By what sessions with the external service are opened: what the user handed over, else the operator's file, else a
/// login by the application service. What was refused is not given again.
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
    private let clock: any PresenceClock
    private var handed: [Slot: HandedCredential]
    /// Of the operator's file.
    private var filed: [UserID: String] = [:]
    /// Tokens of the file that were refused.
    private var refusedFiled: [UserID: String] = [:]
    /// In the order in which they came, by number.
    private nonisolated let listeners = Mutex<(next: Int, all: [Int: AsyncStream<UserID>.Continuation])>((0, [:]))

    /// - Parameters:
    ///   - saved: what was handed over in earlier runs.
    ///   - login: asked last, for tokens; `nil`: nobody is.
    public init(
        form: Form, saved: [HandedCredential], keeping: any CredentialKeeping, login: TokenLogin? = nil,
        clock: any PresenceClock
    ) {
        self.form = form
        self.keeping = keeping
        self.login = login
        self.clock = clock
        handed = Dictionary(
            saved.map { (Slot(user: $0.user, kind: $0.kind), $0) }, uniquingKeysWith: { _, latest in latest })
    }

    // MARK: Sessions

    /// As the service takes it.
    public func credential(
        of user: UserID, at address: SocialAddress
    ) async throws(CredentialTrouble) -> SessionCredential {
        switch form {
        case .tokens: .token(try await token(of: user))
        case .identities: .identity(try identity(of: user, at: address))
        }
    }

    /// A handed-over one stays, marked; a login's is forgotten, so that the next is another.
    public func refused(_ credential: SessionCredential, of user: UserID) async {
        switch credential {
        case .token(let token):
            if await refuse(.token, of: user, where: { $0.secret == token }) { return }
            if filed[user] == token { refusedFiled[user] = token } else { await login?.forget(user) }
        case .identity(let identity):
            _ = await refuse(.identity, of: user) { $0.expires == identity.expiration }
        }
    }

    /// Of users who handed something over, and whose token in the file is another, from this call on.
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

    /// Takes the file's tokens in the place of those of before; who has another one is woken.
    public func take(_ tokens: [UserID: String]) {
        let before = filed
        filed = tokens
        refusedFiled = refusedFiled.filter { tokens[$0.key] == $0.value }
        for user in tokens.keys.sorted() where before[user] != tokens[user] { wake(user) }
    }

    /// Takes what a user hands over, in the place of what they handed over before; it is on disk by the return.
    /// - Throws: what the store throws; the one of before stays.
    public func handOver(_ credential: HandedCredential) async throws {
        try await keeping.keep(credential)
        handed[Slot(user: credential.user, kind: credential.kind)] = credential
        wake(credential.user)
    }

    /// Forgets what the user handed over; it is gone from the disk by the return. A session that was opened with it goes
    /// on until it ends.
    /// - Throws: what the store throws; what could not be removed stays.
    public func takeBack(of user: UserID) async throws {
        for kind in HandedCredential.Kind.allCases {
            let slot = Slot(user: user, kind: kind)
            guard handed[slot] != nil else { continue }
            try await keeping.removeCredential(kind, of: user)
            handed[slot] = nil
        }
    }

    // MARK: How it stands

    /// What the user handed over, without the secrets.
    public func handedOver(by user: UserID) -> [CredentialView] {
        HandedCredential.Kind.allCases.compactMap { kind in
            handed[Slot(user: user, kind: kind)].map { CredentialView($0, at: clock.now) }
        }
    }

    /// Of how many users there are credentials; whom a login is for is not counted.
    public var counts: Counts {
        let now = clock.now
        let own = handed.values.filter { $0.kind.form == form }
        return Counts(handed: own.count { CredentialView($0, at: now).state == .good }, filed: filed.count)
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

    /// Why no session can be opened for the user for want of a credential, as a kind of ``SocialSideReport/failures``;
    /// `nil`: there is one, or may be.
    public func lack(of user: UserID) -> String? {
        let (own, line) = (handed[Slot(user: user, kind: form.kind)], filed[user])
        if let own, CredentialView(own, at: clock.now).state == .good { return nil }
        if form == .tokens {
            if let line, refusedFiled[user] != line { return nil }
            if login != nil { return nil }
            return own == nil && line == nil ? "no_credential" : "unauthorized"
        }
        return own == nil ? "no_credential" : "unauthorized"
    }

    // MARK: Means

    private func token(of user: UserID) async throws(CredentialTrouble) -> String {
        let own = handed[Slot(user: user, kind: .token)]
        if let own, CredentialView(own, at: clock.now).state == .good { return own.secret }
        let filed = filed[user]
        if let filed, refusedFiled[user] != filed { return filed }
        if let login { return try await login.token(user) }
        throw own == nil && filed == nil ? .none : .expired
    }

    private func identity(of user: UserID, at address: SocialAddress) throws(CredentialTrouble) -> EphemeralIdentity {
        guard let own = handed[Slot(user: user, kind: .identity)] else { throw .none }
        guard CredentialView(own, at: clock.now).state == .good, own.address == address,
            let identity = try? EphemeralIdentity(parsing: own.secret, at: clock.now)
        else { throw .expired }
        return identity
    }

    private func refuse(
        _ kind: HandedCredential.Kind, of user: UserID, where matches: (HandedCredential) -> Bool
    ) async -> Bool {
        let slot = Slot(user: user, kind: kind)
        guard var credential = handed[slot], matches(credential) else { return false }
        credential.isRefused = true
        handed[slot] = credential
        // If the disk fails, it is tried once more after the next start, and refused again.
        try? await keeping.keep(credential)
        return true
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

    init(_ credential: HandedCredential, at now: Instant) {
        kind = credential.kind
        address = credential.address
        expires = credential.expires
        state = credential.isRefused ? .refused : credential.expires.map { $0 <= now } ?? false ? .expired : .good
    }
}
