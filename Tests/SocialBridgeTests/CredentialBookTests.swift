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

        var all: [HandedCredential] { kept.withLock { $0 } }

        func keep(_ credential: HandedCredential) async throws {
            kept.withLock { kept in
                kept.removeAll { $0.user == credential.user && $0.kind == credential.kind }
                kept.append(credential)
            }
        }

        func removeCredential(_ kind: HandedCredential.Kind, of user: UserID) async throws {
            kept.withLock { $0.removeAll { $0.user == user && $0.kind == kind } }
        }
    }

    private let user: UserID
    private let address: SocialAddress
    private let shelf = Shelf()
    private let clock = AnchoredClock(wallMilliseconds: 1_790_000_000_000)

    init() throws {
        user = try UserID(parsing: "@ann:x.org")
        address = try SocialAddress(parsing: "0xa")
    }

    private func book(
        _ form: CredentialBook.Form = .tokens, saved: [HandedCredential] = [], login: TokenLogin? = nil
    ) -> CredentialBook {
        CredentialBook(form: form, saved: saved, keeping: shelf, login: login, clock: clock)
    }

    private func handed(_ secret: String, _ kind: HandedCredential.Kind = .token) -> HandedCredential {
        HandedCredential(user: user, kind: kind, secret: secret, address: address)
    }

    /// The token; what is in the way, in angle brackets.
    private func token(_ book: CredentialBook) async -> String {
        do throws(CredentialTrouble) {
            if case .token(let token) = try await book.credential(of: user, at: address) { return token }
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
            forget: { _ in logins.withLock { $0 += 1 } })
        let book = book(login: login)
        #expect(await token(book) == "login0")
        await book.take([user: "filed"])
        #expect(await token(book) == "filed")
        try await book.handOver(handed("handed"))
        #expect(await token(book) == "handed")
        await book.refused(.token("handed"), of: user)
        #expect(await token(book) == "filed")
        #expect(shelf.all.map(\.isRefused) == [true])
        await book.refused(.token("filed"), of: user)
        #expect(await token(book) == "login0")
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
        var old = handed("old")
        old.isRefused = true
        #expect(await token(book(saved: [old])) == "<expired>")
        await fresh.take([user: "filed"])
        await fresh.refused(.token("filed"), of: user)
        #expect(await token(fresh) == "<expired>")
        #expect(await fresh.lack(of: user) == "unauthorized")
        await fresh.take([user: "filed anew"])
        #expect(await fresh.lack(of: user) == nil)
        #expect(await fresh.counts == .init(handed: 0, filed: 1))
        #expect(await book().lack(of: user) == "no_credential")
        #expect(await book(saved: [handed("t")]).counts == .init(handed: 1, filed: 0))
        #expect(await book(.identities, saved: [handed("t")]).lack(of: user) == "no_credential")
        #expect(await book(.identities, saved: [handed("t")]).counts == .init(handed: 0, filed: 0))
        let silent = TokenLogin(
            token: { _ throws(CredentialTrouble) in throw .unavailable("down") }, forget: { _ in })
        #expect(await token(book(login: silent)) == #"<unavailable("down")>"#)
        // A token opens no session where identities are asked for.
        #expect(await token(book(.identities, saved: [handed("token")])) == "<none>")
    }

    @Test func `gives an identity until it expires, of the linked wallet alone`() async throws {
        let wallet = try #require(EthereumKey("0x" + String(repeating: "01", count: 32)))
        let secret = "0x" + String(repeating: "02", count: 32)
        let ephemeral = try #require(EthereumKey(secret))
        let own = try SocialAddress(parsing: wallet.address.text)
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
        // A late refusal of the old one does not meet the new one.
        await book.refused(.identity(given), of: user)
        #expect(await book.handedOver(by: user).map(\.state) == [.good])
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
}
