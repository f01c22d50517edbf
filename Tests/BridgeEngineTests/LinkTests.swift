import BridgeEngine
import PresenceModel
import SocialEngine
import Testing

@Suite struct `A link` {
    static let digits = String(repeating: "ab", count: 20)

    @Test func `is there by rule for who is called like an address of this server`() throws {
        var bench = try BridgeBench()
        let ruled = try user("0x\(`A link`.digits)")
        bench.perform(.userKnown(ruled))
        #expect(bench.engine.link(of: ruled)?.address == (try address("0x\(`A link`.digits)")))
        #expect(bench.taken().first == .openSession(try address("0x\(`A link`.digits)"), for: ruled))
        for name in ["alice", "0x\(`A link`.digits.uppercased())", "0x12", "0x\(`A link`.digits.dropLast())g"] {
            bench.perform(.userKnown(try user(name)))
            #expect(bench.engine.link(of: try user(name)) == nil, "\(name)")
        }
        bench.perform(.userKnown(try UserID(parsing: "@0x\(`A link`.digits):elsewhere.example")))
        #expect(bench.engine.liveLinks.count == 1)
        var without = try BridgeBench { $0.linkRule = .nobody }
        without.perform(.userKnown(ruled))
        #expect(without.effects.isEmpty)
    }

    @Test func `is there by rule for every localpart where the service goes by localparts, but for ghosts`() throws {
        var bench = try BridgeBench {
            $0.linkRule = .localparts
            $0.foreignGhostPrefixes = ["_other_"]
        }
        for name in ["alice", "0x\(`A link`.digits)"] {
            bench.perform(.userKnown(try user(name)))
            #expect(bench.engine.link(of: try user(name))?.address.text == name)
        }
        for name in ["Alice", "_other_0x1", "\(bench.engine.configuration.ghostPrefix)0x1"] {
            bench.perform(.userKnown(try user(name)))
            #expect(bench.engine.link(of: try user(name)) == nil, "\(name)")
        }
    }

    @Test func `of a closed account comes back by nothing but the user`() throws {
        let ruled = try user("0x\(`A link`.digits)")
        for view in [visible(.online), .hidden] {
            var bench = try BridgeBench()
            bench.perform(.matrixReported(ruled, visible(.offline)))
            #expect(bench.engine.view(of: ruled).participates)
            bench.perform(.userGone(ruled))
            bench.perform(.matrixReported(ruled, visible(.offline)))
            bench.perform(.matrixReported(ruled, .unknown))
            #expect(bench.engine.link(of: ruled) == nil && !bench.engine.view(of: ruled).participates)
            bench.perform(.matrixReported(ruled, view))
            #expect(bench.engine.view(of: ruled).participates)
        }
        var bench = try BridgeBench()
        bench.perform(.userGone(ruled))
        bench.perform(.userKnown(ruled))
        bench.perform(.matrixReported(ruled, visible(.offline)))
        #expect(bench.engine.view(of: ruled).participates)
    }

    @Test func `of a table goes before the rule, and the rule comes back with its end`() throws {
        var bench = try BridgeBench()
        let (ruled, alice) = (try user("0x\(`A link`.digits)"), try user("alice"))
        let link = Link(user: alice, address: try address("0x\(`A link`.digits)"))
        bench.perform(.userKnown(ruled))
        bench.perform(.linkAdded(link, .file))
        #expect(bench.engine.liveLinks == [link])
        bench.perform(.linkRemoved(link, .file))
        #expect(bench.engine.liveLinks.map(\.user) == [ruled])
    }

    @Test func `is of one user and one address; what counts for more displaces, what counts the same stays`() throws {
        var bench = try BridgeBench()
        let (alice, bob) = (try user("alice"), try user("bob"))
        let (first, second) = (try address("0x1"), try address("0x2"))
        bench.perform(.linkAdded(Link(user: alice, address: first), .operator))
        _ = bench.taken()
        for refused in [Link(user: alice, address: second), Link(user: bob, address: first)] {
            bench.perform(.linkAdded(refused, .file))
            bench.perform(.linkAdded(refused, .operator))
            let because = Link(user: alice, address: first)
            #expect(
                bench.taken() == [
                    .note(.linkRefused(refused, .file, because: because)),
                    .note(.linkRefused(refused, .operator, because: because)),
                ])
        }
        bench.perform(.linkAdded(Link(user: bob, address: first), .proof))
        #expect(bench.engine.liveLinks == [Link(user: bob, address: first)])
        #expect(
            bench.taken().first
                == .note(.linkDisplaced(Link(user: alice, address: first), by: Link(user: bob, address: first))))
    }

    @Test func `holds as long as one source says so`() throws {
        var bench = try BridgeBench()
        let link = Link(user: try user("alice"), address: try address("0x1"))
        bench.perform(.linkAdded(link, .file))
        bench.perform(.linkAdded(link, .operator))
        bench.perform(.linkRemoved(link, .file))
        #expect(bench.engine.liveLinks == [link])
        bench.perform(.linkRemoved(link, .operator))
        #expect(bench.engine.liveLinks.isEmpty)
        #expect(bench.effects.last == .closeSession(link.address))
    }

    @Test func `is used once its user says so, or proved it; and not against their word`() throws {
        var bench = try BridgeBench { $0.participation = .optIn }
        let (alice, bob) = (try user("alice"), try user("bob"))
        bench.perform(.linkAdded(Link(user: alice, address: try address("0x1")), .operator))
        #expect(bench.engine.liveLinks.isEmpty)
        bench.perform(.participationChosen(alice, true))
        bench.perform(.linkAdded(Link(user: bob, address: try address("0x2")), .proof))
        #expect(bench.engine.liveLinks.map(\.user) == [alice, bob])
        bench.perform(.participationChosen(bob, false))
        #expect(bench.engine.liveLinks.map(\.user) == [alice])
    }

    @Test func `is for users of this server, and there are only so many`() throws {
        var bench = try BridgeBench { $0.linksLimit = 1 }
        let far = try UserID(parsing: "@far:elsewhere.example")
        bench.perform(.linkAdded(Link(user: far, address: try address("0x1")), .proof))
        #expect(bench.engine.liveLinks.isEmpty)
        for name in ["alice", "bob"] {
            bench.perform(.linkAdded(Link(user: try user(name), address: try address(name)), .file))
        }
        #expect(bench.engine.liveLinks.map(\.user) == [try user("alice")])
    }

    @Test func `that ends lets go of everything, over a restart too`() throws {
        var bench = try BridgeBench()
        let link = Link(user: try user("alice"), address: try address("0x1"))
        bench.join(link.user, link.address)
        bench.perform(.matrixReported(link.user, visible(.online)))
        #expect(bench.taken().heartbeats.count == 1)
        bench.perform(.linkRemoved(link, .operator))
        #expect(bench.taken() == [.stop(link.address), .closeSession(link.address)])
        bench.pass(.minutes(40))
        #expect(bench.taken().isEmpty && bench.engine.nextDeadline == nil)
        try bench.restart()
        #expect(bench.effects.isEmpty)
    }

    @Test func `comes back after a restart, with what its user chose`() throws {
        var bench = try BridgeBench { $0.participation = .optIn }
        let alice = try user("alice")
        bench.perform(.linkAdded(Link(user: alice, address: try address("0x1")), .operator))
        bench.perform(.participationChosen(alice, true))
        bench.perform(.privacyChosen(alice, .hidden))
        try bench.restart()
        #expect(bench.taken() == [.openSession(try address("0x1"), for: alice), .readList(alice)])
        bench.perform(.sessionOpened(try address("0x1")))
        bench.perform(.matrixReported(alice, visible(.online)))
        bench.pass(.minutes(2))
        #expect(bench.taken().heartbeats.isEmpty)
    }
}

@Suite struct `A ghost's name` {
    @Test func `is the prefix and the address, and leads back to it`() throws {
        let rule = GhostRule(server: try ServerName(parsing: "here.example"), prefix: "_social_")
        for (address, name) in [
            ("0xAb12", "_social_0xab12"), ("a:b=c", "_social_a=3ab=3dc"), ("x@y", "_social_x=40y"),
            ("~", "_social_=7e"),
        ] {
            let address = try SocialAddress(parsing: address)
            #expect(rule.user(for: address) == (try user(name)))
            #expect(rule.address(of: try user(name)) == address)
        }
    }

    @Test func `is nobody else's`() throws {
        let rule = GhostRule(server: try ServerName(parsing: "here.example"), prefix: "_social_")
        for name in ["alice", "_social_", "_social_=4", "_social_=zz", "_social_A", "_social_=61"] {
            #expect(rule.address(of: try user(name)) == nil, "\(name)")
        }
        #expect(rule.address(of: try UserID(parsing: "@_social_0x1:elsewhere.example")) == nil)
        #expect(rule.user(for: try address(String(repeating: "a", count: 250))) == nil)
    }
}
