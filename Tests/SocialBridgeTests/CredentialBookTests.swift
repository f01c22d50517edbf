import AuthChain
import BridgeEngine
import PresenceModel
import PresenceRuntime
import SocialBridge
import SocialEngine
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct `The book of credentials` {
    private final class Shelf: CredentialKeeping {
        private let kept = Mutex<[HandedCredential]>([])
        /// Whoever writes waits while it is closed.
        private let gate = Mutex<(isClosed: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

        var all: [HandedCredential] { kept.withLock { $0 } }

        var writers: Int { gate.withLock { $0.waiting.count } }

        func close() { gate.withLock { $0.isClosed = true } }

        /// Who waits goes on, those who came last first.
        func open() {
            let waiting = gate.withLock { gate in
                defer { gate = (false, []) }
                return gate.waiting
            }
            for waiter in waiting.reversed() { waiter.resume() }
        }

        private func wait() async {
            await withCheckedContinuation { waiter in
                let isOpen = gate.withLock { gate in
                    if gate.isClosed { gate.waiting.append(waiter) }
                    return !gate.isClosed
                }
                if isOpen { waiter.resume() }
            }
        }

        func keep(_ credential: HandedCredential) async throws {
            await wait()
            kept.withLock { kept in
                kept.removeAll { $0.user == credential.user && $0.kind == credential.kind }
                kept.append(credential)
            }
        }

        func removeCredential(_ kind: HandedCredential.Kind, of user: UserID) async throws {
            await wait()
            kept.withLock { $0.removeAll { $0.user == user && $0.kind == kind } }
        }
    }

    private let user: UserID
    private let address: SocialAddress
    private let shelf = Shelf()
    private let clock = AnchoredClock(wallMilliseconds: 1_790_000_000_000)

    init() throws {
        user = try UserID(parsing: "@0xA:x.org")
        address = try SocialAddress(parsing: "0xa")
    }

    private func book(
        _ form: CredentialBook.Form = .tokens, saved: [HandedCredential] = [], login: TokenLogin? = nil
    ) -> CredentialBook {
        CredentialBook(form: form, saved: saved, keeping: shelf, login: login, wall: { [clock] in clock.now })
    }

    private func handed(_ secret: String, _ kind: HandedCredential.Kind = .token) -> HandedCredential {
        HandedCredential(user: user, kind: kind, secret: secret, address: address)
    }

    /// The token; what is in the way, in angle brackets.
    private func token(_ book: CredentialBook, at other: SocialAddress? = nil) async -> String {
        do throws(CredentialTrouble) {
            if case .token(let token) = try await book.credential(of: user, at: other ?? address) { return token }
            return "<identity>"
        } catch {
            return "<\(error)>"
        }
    }

    @Test func `gives what the user handed over, else the file's, else a login's; nothing twice that was refused`()
        async throws
    {
        let logins = Mutex(0)
        let login = TokenLogin(
            token: { _ throws(CredentialTrouble) in "login\(logins.withLock { $0 })" },
            forget: { _, token in logins.withLock { if token == "login\($0)" { $0 += 1 } } })
        let book = book(login: login)
        #expect(await token(book) == "login0")
        await book.take([user: "filed"])
        #expect(await token(book) == "filed")
        try await book.handOver(handed("handed"))
        #expect(await token(book) == "handed")
        await book.refused(.token("handed"), of: user)
        #expect(await token(book) == "filed")
        #expect(await book.handedOver(by: user).map(\.state) == [.refused])
        // A service may have had its reasons: after a restart it is tried once more.
        #expect(await token(self.book(saved: shelf.all)) == "handed")
        await book.refused(.token("filed"), of: user)
        #expect(await token(book) == "login0")
        await book.refused(.token("login0"), of: user)
        #expect(await token(book) == "login1")
        await book.refused(.token("login0"), of: user)
        #expect(await token(book) == "login1")
        // The file as it was brings nothing back; another line does.
        await book.take([user: "filed"])
        #expect(await token(book) == "login1")
        await book.take([user: "anew"])
        #expect(await token(book) == "anew")
        try await book.handOver(handed("handed anew"))
        #expect(await token(book) == "handed anew")
        try await book.takeBack(of: user)
        #expect(await token(book) == "anew" && shelf.all.isEmpty)
    }

    @Test func `tells who has nothing from who has nothing good`() async throws {
        let fresh = book()
        #expect(await token(fresh) == "<none>")
        let old = book(saved: [handed("old")])
        await old.refused(.token("old"), of: user)
        #expect(await token(old) == "<expired>")
        await fresh.take([user: "filed"])
        await fresh.refused(.token("filed"), of: user)
        #expect(await token(fresh) == "<expired>")
        #expect(await fresh.lack(of: user, at: address) == "unauthorized")
        await fresh.take([user: "filed anew"])
        #expect(await fresh.lack(of: user, at: address) == nil)
        #expect(await fresh.counts == .init(handed: 0, filed: 1))
        #expect(await book().lack(of: user, at: address) == "no_credential")
        #expect(await book(saved: [handed("t")]).counts == .init(handed: 1, filed: 0))
        #expect(await book(.identities, saved: [handed("t")]).lack(of: user, at: address) == "no_credential")
        #expect(await book(.identities, saved: [handed("t")]).counts == .init(handed: 0, filed: 0))
        let silent = TokenLogin(
            token: { _ throws(CredentialTrouble) in throw .unavailable("down") }, forget: { _, _ in })
        #expect(await token(book(login: silent)) == #"<unavailable("down")>"#)
        // A token opens no session where identities are asked for.
        #expect(await token(book(.identities, saved: [handed("token")])) == "<none>")
    }

    @Test func `gives an identity until it expires, of the linked wallet alone`() async throws {
        let wallet = try #require(EthereumKey("0x" + String(repeating: "01", count: 32)))
        let secret = "0x" + String(repeating: "02", count: 32)
        let ephemeral = try #require(EthereumKey(secret))
        let own = try SocialAddress(parsing: wallet.address.text)
        let another = try #require(EthereumKey("0x" + String(repeating: "03", count: 32)))
        func identity(_ expiration: Instant) -> HandedCredential {
            let chain = AuthChain.signing("x", wallet: wallet, ephemeral: ephemeral, expiration: expiration)
            let text = AuthChain(links: chain.links.dropLast()).text
            return HandedCredential(
                user: user, kind: .identity, secret: #"{"auth_chain":\#(text),"ephemeral_private_key":"\#(secret)"}"#,
                address: own, expires: expiration)
        }
        let good = identity(clock.now + .hours(1))
        let book = book(.identities, saved: [good])
        guard case .identity(let given) = try await book.credential(of: user, at: own) else {
            throw CancellationError()
        }
        #expect(given.address == wallet.address)
        await #expect(throws: CredentialTrouble.expired) { try await book.credential(of: user, at: address) }
        await book.refused(.identity(given), of: user)
        await #expect(throws: CredentialTrouble.expired) { try await book.credential(of: user, at: own) }
        #expect(await book.handedOver(by: user).map(\.state) == [.refused])
        try await book.handOver(identity(clock.now + .hours(2)))
        // A late refusal of the old one does not meet the new one, nor one that expires at the same time.
        await book.refused(.identity(given), of: user)
        #expect(await book.handedOver(by: user).map(\.state) == [.good])
        let chain = AuthChain.signing("x", wallet: wallet, ephemeral: another, expiration: given.expiration)
        let twin = try EphemeralIdentity(links: chain.links.dropLast(), key: another, at: clock.now)
        try await book.handOver(
            HandedCredential(user: user, kind: .identity, secret: twin.text, address: own, expires: given.expiration))
        await book.refused(.identity(given), of: user)
        #expect(await book.handedOver(by: user).map(\.state) == [.good])
        await book.refused(.identity(twin), of: user)
        #expect(await book.handedOver(by: user).map(\.state) == [.refused])
        try await book.handOver(identity(clock.now + .seconds(-1)))
        await #expect(throws: CredentialTrouble.expired) { try await book.credential(of: user, at: own) }
    }

    @Test func `wakes who may have a credential now, everybody who listens`() async throws {
        let book = book()
        let other = try UserID(parsing: "@bob:x.org")
        let listeners = [book.changes(), book.changes()]
        try await book.handOver(handed("t"))
        await book.take([user: "a", other: "b"])
        await book.take([user: "a", other: "c"])
        for listener in listeners {
            var woken: [UserID] = []
            for await user in listener {
                woken.append(user)
                if woken.count == 4 { break }
            }
            #expect(woken == [user, user, other, other])
        }
    }

    @Test func `gives nothing that speaks for another address than it is asked for`() async throws {
        let login = TokenLogin(token: { _ throws(CredentialTrouble) in "login" }, forget: { _, _ in })
        let other = try SocialAddress(parsing: "0xb")
        let book = book(saved: [handed("handed")], login: login)
        #expect(await token(book) == "handed")
        // The service would take either for the user of their own name.
        #expect(await token(book, at: other) == "<none>")
        #expect(await book.lack(of: user, at: other) == "no_credential")
        // The operator's word.
        await book.take([user: "filed"])
        #expect(await token(book, at: other) == "filed")
        await book.refused(.token("filed"), of: user)
        #expect(await token(book, at: other) == "<expired>")
    }

    @Test func `wakes who has something no longer, so that it opens no further session`() async throws {
        let book = book(saved: [handed("t")])
        let other = try UserID(parsing: "@bob:x.org")
        await book.take([other: "b"])
        let changes = book.changes()
        try await book.takeBack(of: user)
        await book.take([:])
        var woken: [UserID] = []
        for await user in changes {
            woken.append(user)
            if woken.count == 2 { break }
        }
        #expect(woken == [user, other])
    }

    @Test func `has in the end what is on disk, whatever is handed over and taken back at once`() async throws {
        let book = book()
        try await book.handOver(handed("old"))
        shelf.close()
        async let back: Void = book.takeBack(of: user)
        #expect(await comes { shelf.writers == 1 })
        async let new: Void = book.handOver(handed("new"))
        // A refusal of the old one comes while it is being taken back.
        await book.refused(.token("old"), of: user)
        for _ in 0..<100 { await Task.yield() }
        shelf.open()
        try await back
        try await new
        #expect(shelf.all.map(\.secret) == ["new"])
        #expect(await book.handedOver(by: user).map(\.state) == [.good])
        #expect(await token(book) == "new")
        try await book.takeBack(of: user)
        #expect(await token(book) == "<none>" && shelf.all.isEmpty)
    }

    @Test func `is asked anew by the session whose token was taken back, once it ends`() async throws {
        let book = book(saved: [handed("t")])
        let service = PlayedBridged(takesCredentials: true)
        var pauses = SessionPauses()
        (pauses.passing.first, pauses.passing.limit) = (.milliseconds(5), .milliseconds(20))
        let side = RunningSide(BridgedSessions(service: service, credentials: book, pauses: pauses))
        side.order(.openSession(address, for: user))
        #expect(await comes { service.made.first?.lives == 1 })
        let session = try #require(service.made.first)
        // A life that ends by itself needs nothing new.
        session.end(BridgedSessionError(.lost, "gone"))
        #expect(await comes { session.lives == 2 })
        try await book.takeBack(of: user)
        // The wake is passed on in its own time.
        var lives = 2
        #expect(
            await comes {
                if session.asked == ["close"] { return true }
                if session.lives >= lives {
                    lives = session.lives + 1
                    session.end(BridgedSessionError(.lost, "gone"))
                }
                return false
            })
        #expect(await comes { await side.report.failures["no_credential"] == 1 })
        #expect(service.made.count == 1)
        await side.stop()
    }

    @Test func `says what a homeserver says that lets nobody in, and does not ask in a loop`() async throws {
        let asked = Mutex(0)
        let login = TokenLogin(
            token: { _ throws(CredentialTrouble) in
                asked.withLock { $0 += 1 }
                throw .refused("namespaces.users lacks them")
            }, forget: { _, _ in })
        var pauses = SessionPauses()
        (pauses.passing.first, pauses.passing.limit) = (.milliseconds(1), .milliseconds(1))
        pauses.unauthorized.first = .hours(1)
        let side = RunningSide(
            BridgedSessions(
                service: PlayedBridged(takesCredentials: true), credentials: book(login: login), pauses: pauses))
        side.order(.openSession(address, for: user))
        #expect(await comes { await side.report.failures["unauthorized"] == 1 })
        #expect(await side.report.latestFailure?.contains("namespaces.users lacks them") == true)
        #expect(await side.report.failures["credentials_unavailable"] == nil)
        await side.stop()
        #expect(asked.withLock { $0 } == 1)
    }
}
