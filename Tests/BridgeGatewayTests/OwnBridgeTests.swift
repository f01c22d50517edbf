import BridgeEngine
import Foundation
import MatrixWire
import PresenceModel
import SocialBridge
import SocialEngine
import Testing

@Suite struct `A user of the bridge` {
    private let bench: GatewayBench
    private let ann: Wallet
    private let bob: Wallet

    init() throws {
        bench = try GatewayBench()
        (ann, bob) = (try Wallet(1), try Wallet(2))
    }

    private func prove(_ wallet: Wallet, as user: String) async throws -> Int {
        bench.clock.move(.seconds(60))
        return try await bench.ask(
            "PUT", "\(GatewayBench.own)/link", wallet.proof(for: user, at: bench.clock.now), as: user
        ).status
    }

    private func liveLinks() async -> [[Link]] {
        var links: [[Link]] = []
        for runtime in bench.runtimes { links.append(await runtime.read { engine, _ in engine.liveLinks }) }
        return links
    }

    private func liveTables() async -> [[Link]] {
        var links: [[Link]] = []
        for runtime in bench.runtimes { links.append(await runtime.read { engine, _ in engine.links(by: .operator) }) }
        return links
    }

    @Test func `proves a wallet, is bridged by that, and takes it back`() async throws {
        let before = try await bench.told("GET", GatewayBench.own, as: "ann")
        #expect(before["address"] == nil && before["participates"] == false && before["chosen"] == .null)
        #expect(try await prove(ann, as: "ann") == 200)
        let address = ann.address.lowercased()
        let after = try await bench.told("GET", GatewayBench.own, as: "ann")
        #expect(after["address"]?.string == address && after["sources"] == ["proof"] && after["participates"] == true)
        #expect(after["sessions"]?.array?.map { $0["service"]?.string } == ["external", "embedded"])
        #expect(after["sessions"]?.array?.first?["open"] == false)
        #expect(after["sessions"]?.array?.first?["latest_failure"] == "no_credential")
        #expect(after["sessions"]?.array?.last?["latest_failure"] == nil)
        #expect(after["sessions"]?.array?.first?["closed_since_ts"]?.integer != nil)
        let link = Link(user: try UserID(parsing: "@ann:x.org"), address: try SocialAddress(parsing: address))
        // In our own service everybody is who they are in Matrix.
        #expect(await liveLinks() == [[link], []])
        _ = try await bench.told("DELETE", "\(GatewayBench.own)/link", as: "ann")
        #expect(await liveLinks() == [[], []])
        _ = try await bench.told("DELETE", "\(GatewayBench.own)/link", as: "ann")
    }

    @Test func `has one wallet, the one that was proved last; nobody else's`() async throws {
        #expect(try await prove(ann, as: "ann") == 200)
        #expect(try await prove(bob, as: "ann") == 200)
        #expect(await liveLinks().first?.map(\.address.text) == [bob.address.lowercased()])
        // Another user proves that they have it too: what is there stays.
        #expect(try await prove(bob, as: "bob") == 409)
        #expect(try await prove(ann, as: "bob") == 200)
        #expect(await liveLinks().first?.count == 2)
        // Who is it is not told to users.
        let refused = try await bench.ask(
            "PUT", "\(GatewayBench.own)/link", bob.proof(for: "cy", at: bench.clock.now), as: "cy")
        #expect(refused.status == 409 && refused.body["errcode"] == "ORG.PRESENCED.LINK_TAKEN")
        #expect(refused.body["error"]?.string?.contains("@ann") == false)
    }

    @Test func `is refused with a proof that is another's, old, spent, or no proof`() async throws {
        let (path, now) = ("\(GatewayBench.own)/link", bench.clock.now)
        func status(_ body: String, as user: String = "ann") async throws -> Int {
            // The limit on changes is another matter.
            bench.clock.move(.seconds(10))
            return try await bench.ask("PUT", path, body, as: user).status
        }
        // Signed for another user: what a login elsewhere shows somebody cannot be used here.
        #expect(try await status(ann.proof(for: "bob", at: now)) == 403)
        #expect(try await status(ann.proof(for: "ann", at: now, address: bob.address)) == 403)
        #expect(try await status(ann.proof(for: "ann", at: now + .minutes(-6))) == 403)
        #expect(try await status(ann.proof(for: "ann", at: now + .minutes(7))) == 403)
        #expect(try await status(ann.proof(for: "ann", at: now, address: "0x")) == 403)
        #expect(try await status(ann.proof(for: "ann", at: now, address: "@ann:x.org")) == 400)
        let good = ann.proof(for: "ann", at: now)
        for broken in [
            good.replacing(#""timestamp":"#, with: #""timestamp":"x","y":"#), "{}", "[]", "",
            good.replacing("ECDSA_SIGNED_ENTITY", with: "ECDSA_EIP_1654_SIGNED_ENTITY"),
            #"{"address":"\#(ann.address)","timestamp":1,"auth_chain":[]}"#,
            #"{"address":"\#(ann.address)","timestamp":1,"auth_chain":"x"}"#,
        ] {
            let status = try await status(broken)
            #expect(status == 400 || status == 403, "\(broken)")
        }
        #expect(await liveLinks() == [[], []])
        #expect(try await status(good) == 200)
        _ = try await bench.told("DELETE", path, as: "ann")
        #expect(try await status(good) == 403)
        #expect(await liveLinks() == [[], []])
    }

    @Test func `signs by the clock on the wall, which may have been set since the start`() async throws {
        let bench = try GatewayBench(skew: .hours(2))
        let (path, now) = ("\(GatewayBench.own)/link", bench.clock.now)
        #expect(try await bench.ask("PUT", path, ann.proof(for: "ann", at: now), as: "ann").status == 403)
        _ = try await bench.told("PUT", path, ann.proof(for: "ann", at: now + .hours(2)), as: "ann")
        let credential = "\(GatewayBench.own)/credential"
        func handOver(until expiration: Instant) async throws -> Int {
            let identity = ann.identity(until: expiration, at: now)
            return try await bench.ask("PUT", credential, #"{"identity":\#(identity)}"#, as: "ann").status
        }
        #expect(try await handOver(until: now + .hours(1)) == 400)
        #expect(try await handOver(until: now + .hours(3)) == 200)
    }

    @Test func `hands over an identity with the proof or after it, and never gets it back`() async throws {
        let now = bench.clock.now
        let identity = ann.identity(until: now + .hours(1), at: now)
        let credential = "\(GatewayBench.own)/credential"
        #expect(try await bench.ask("PUT", credential, #"{"identity":\#(identity)}"#, as: "ann").status == 404)
        let more = #"{"more":"words","# + identity.dropFirst()
        // A credential that is not taken here is found before the proof is spent.
        for wrong in [#","token":"abc""#, #","identity":\#(bob.identity(until: now + .hours(1), at: now))"#] {
            let proof = ann.proof(for: "ann", at: now, more: wrong)
            #expect(try await bench.ask("PUT", "\(GatewayBench.own)/link", proof, as: "ann").status == 400)
            #expect(await liveLinks() == [[], []])
        }
        let proof = ann.proof(for: "ann", at: now, more: #","identity":\#(more)"#)
        _ = try await bench.told("PUT", "\(GatewayBench.own)/link", proof, as: "ann")
        #expect(bench.disk.credentials.map(\.kind) == [.identity])
        // Nothing besides what opens sessions.
        #expect(bench.disk.credentials.map(\.secret) == [identity])
        let shown = try await bench.told("GET", GatewayBench.own, as: "ann")
        #expect(shown["credentials"]?.array?.first?["state"] == "good")
        #expect(shown["credentials"]?.array?.first?["expires_ts"]?.integer == (now + .hours(1)).millisecondsSinceEpoch)
        #expect(!String(decoding: CanonicalJSON.encode(shown), as: UTF8.self).contains(ann.secret.dropFirst(2)))
        let address = try SocialAddress(parsing: ann.address)
        guard
            case .identity(let given) = try await bench.book.credential(
                of: UserID(parsing: "@ann:x.org"), at: address)
        else { throw CancellationError() }
        #expect(given.address == ann.wallet.address)
        // Another wallet's, one that is over, and a token where none is taken.
        let other = bob.identity(until: now + .hours(1), at: now)
        #expect(try await bench.ask("PUT", credential, #"{"identity":\#(other)}"#, as: "ann").status == 400)
        let old = ann.identity(until: now + .seconds(-1), at: now)
        #expect(try await bench.ask("PUT", credential, #"{"identity":\#(old)}"#, as: "ann").status == 400)
        #expect(try await bench.ask("PUT", credential, #"{"token":"abc"}"#, as: "ann").status == 400)
        #expect(try await bench.ask("PUT", credential, "{}", as: "ann").status == 400)
        bench.clock.move(.hours(2))
        let later = try await bench.told("GET", GatewayBench.own, as: "ann")
        #expect(later["credentials"]?.array?.first?["state"] == "expired")
        _ = try await bench.told("DELETE", credential, as: "ann")
        #expect(bench.disk.credentials.isEmpty)
    }

    @Test func `hands over a token where tokens are taken`() async throws {
        let bench = try GatewayBench([.external], form: .tokens) { $0.participation = .optOut }
        let user = try UserID(parsing: "@0x\(String(repeating: "a", count: 40)):x.org")
        await bench.runtimes[0].submit(.userKnown(user))
        let credential = "\(GatewayBench.own)/credential"
        _ = try await bench.told("PUT", credential, #"{"token":"abc"}"#, as: String(user.localpart))
        let address = try SocialAddress(parsing: user.text)
        guard case .token("abc") = try await bench.book.credential(of: user, at: address) else {
            throw CancellationError()
        }
        for bad in [
            #"{"token":"a b"}"#, #"{"token":"a","identity":{}}"#, #"{"token":1}"#, #"{"identity":"x"}"#,
            #"{"token":"\#(String(repeating: "x", count: 5000))"}"#,
        ] {
            bench.clock.move(.seconds(60))
            let status = try await bench.ask("PUT", credential, bad, as: String(user.localpart)).status
            #expect(status == 400 || status == 413, "\(bad)")
        }
    }

    @Test func `chooses to be bridged or not, and what friends see`() async throws {
        #expect(try await prove(ann, as: "ann") == 200)
        let path = "\(GatewayBench.own)/settings"
        _ = try await bench.told("PUT", path, #"{"participates":false,"privacy":"state_only"}"#, as: "ann")
        var own = try await bench.told("GET", GatewayBench.own, as: "ann")
        #expect(own["participates"] == false && own["chosen"] == false && own["privacy"] == "state_only")
        #expect(await liveLinks() == [[], []])
        _ = try await bench.told("PUT", path, #"{"participates":null}"#, as: "ann")
        own = try await bench.told("GET", GatewayBench.own, as: "ann")
        #expect(own["participates"] == true && own["chosen"] == .null && own["privacy"] == "state_only")
        for bad in ["{}", #"{"participates":"yes"}"#, #"{"privacy":"secret"}"#, #"{"privacy":null}"#, #"{"x":1}"#] {
            #expect(try await bench.ask("PUT", path, bad, as: "ann").status == 400, "\(bad)")
        }
    }

    @Test func `is told when the disk does not take it`() async throws {
        bench.disk.isFull = true
        #expect(try await prove(ann, as: "ann") == 503)
    }

    @Test func `is not linked any more, also where what was handed over cannot be removed`() async throws {
        let now = bench.clock.now
        let identity = ann.identity(until: now + .hours(1), at: now)
        let proof = ann.proof(for: "ann", at: now, more: #","identity":\#(identity)"#)
        _ = try await bench.told("PUT", "\(GatewayBench.own)/link", proof, as: "ann")
        bench.disk.isFull = true
        #expect(try await bench.ask("DELETE", "\(GatewayBench.own)/link", as: "ann").status == 503)
        #expect(await liveLinks() == [[], []])
        bench.disk.isFull = false
        _ = try await bench.told("DELETE", "\(GatewayBench.own)/link", as: "ann")
        #expect(bench.disk.credentials.isEmpty)
    }

    @Test func `of our own service alone has no other name there`() async throws {
        let bench = try GatewayBench([.embedded]) { settings in
            settings.linkRule = .localparts
            settings.participation = .optOut
        }
        let user = try UserID(parsing: "@ann:x.org")
        await bench.runtimes[0].submit(.userKnown(user))
        let proof = ann.proof(for: "ann", at: bench.clock.now)
        let refused = try await bench.ask("PUT", "\(GatewayBench.own)/link", proof, as: "ann")
        #expect(refused.status == 403 && refused.body["error"]?.string?.contains("who they are in Matrix") == true)
        await bench.desk.take([Link(user: user, address: try SocialAddress(parsing: "0xb"))])
        #expect(try await bench.told("GET", GatewayBench.own, as: "ann")["address"] == "ann")
        #expect(
            try await bench.ask("PUT", "\(GatewayBench.admin)/links/@ann:x.org", #"{"address":"0xb"}"#).status == 403)
        _ = try await bench.told("DELETE", "\(GatewayBench.own)/link", as: "ann")
        _ = try await bench.told("PUT", "\(GatewayBench.own)/settings", #"{"participates":false}"#, as: "ann")
        #expect(await bench.runtimes[0].read { engine, _ in engine.liveLinks } == [])
    }

    @Test func `may be one of two who claim an address at once, of whom one gets it and the other is told`()
        async throws
    {
        let (first, second) = (try SocialAddress(parsing: "0xa"), try SocialAddress(parsing: "0xb"))
        let (ann, bob) = (try UserID(parsing: "@ann:x.org"), try UserID(parsing: "@bob:x.org"))
        let desk = bench.desk
        try await desk.link(Link(user: ann, address: first), by: .operator)
        // The old link goes first, and the disk is slow.
        bench.disk.hold()
        async let anns: Void = desk.link(Link(user: ann, address: second), by: .operator)
        let deadline = ContinuousClock.now + .seconds(30)
        while bench.disk.writers == 0 {
            try #require(ContinuousClock.now < deadline)
            await Task.yield()
        }
        async let bobs: BridgeRefusal? = {
            do throws(BridgeRefusal) {
                try await desk.link(Link(user: bob, address: second), by: .operator)
                return nil
            } catch {
                return error
            }
        }()
        for _ in 0..<1000 { await Task.yield() }
        bench.disk.release()
        try await anns
        #expect(await bobs == .link(.taken(by: Link(user: ann, address: second), .operator)))
        #expect(await liveTables() == [[Link(user: ann, address: second)], []])
    }

    @Test func `is known by a token, is no guest, and changes nothing without end`() async throws {
        let changes = [
            ("PUT", "link"), ("DELETE", "link"), ("PUT", "credential"), ("DELETE", "credential"), ("PUT", "settings"),
        ]
        for (method, name) in changes {
            #expect(try await bench.ask(method, "\(GatewayBench.own)/\(name)", "{}").status == 401)
            #expect(try await bench.ask(method, "\(GatewayBench.own)/\(name)", "{}", as: "guest").status == 403)
        }
        #expect(try await bench.ask("GET", GatewayBench.own).status == 401)
        var statuses: [Int] = []
        for _ in 0..<11 {
            statuses.append(try await bench.ask("DELETE", "\(GatewayBench.own)/link", as: "ann").status)
        }
        #expect(statuses.last == 429 && statuses.dropLast().allSatisfy { $0 == 200 })
        let long = String(repeating: "x", count: 70_000)
        #expect(try await bench.ask("PUT", "\(GatewayBench.own)/link", long, as: "bob").status == 413)
    }
}
