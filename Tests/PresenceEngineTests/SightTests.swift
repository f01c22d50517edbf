import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `What an observer is shown, drawn` {
    private func bob(
        alice: String, leave: String, bob: String, each step: Duration = .seconds(10),
        _ configuration: PresenceEngine.Configuration = PresenceEngine.Configuration()
    ) throws -> String {
        try drawnSight(alice: alice, leave: leave, bob: bob, each: step, configuration: configuration)
    }

    @Test func `begins with leave, and ends with it`() throws {
        #expect(try bob(alice: "o-b----u-f", leave: "-?--+-!---", bob: "c---------") == "----b-----")
        #expect(try bob(alice: "o-b-u-f-o-", leave: "?+----!---", bob: "c---------") == "-ob-u-----")
    }

    @Test func `begins again with a new request`() throws {
        #expect(try bob(alice: "o--b--u--f", leave: "?+!-?+--!-", bob: "c---------") == "-o---bu---")
    }

    @Test func `is nothing for who is not there to see it, and what holds when they come back`() throws {
        #expect(try bob(alice: "o-b-u---f-", leave: "?+--------", bob: "c--x-----c") == "-ob------f")
    }

    @Test func `ends when the observer takes them off the list, and is back without a question`() throws {
        #expect(try bob(alice: "o-b--u--f-", leave: "?+-r-?----", bob: "c---------") == "-ob--u--f-")
    }

    @Test func `is granted by itself to whom one wants to see`() throws {
        #expect(try bob(alice: "o-b-------", leave: "w-?-------", bob: "c---------") == "--b-------")
        #expect(try bob(alice: "o-b-------", leave: "?---w-----", bob: "c---------") == "----b-----")
        var configuration = PresenceEngine.Configuration()
        configuration.grantsMutually = false
        let sight = try bob(alice: "o-b-------", leave: "w-?-------", bob: "c---------", configuration)
        #expect(sight == "----------")
    }

    @Test func `lasts as long as the shared room`() throws {
        #expect(try bob(alice: "o-b--u--f-", leave: "-j--l--j--", bob: "c---------") == "-ob----uf-")
    }

    @Test func `goes on by the list when the room is left, and by the room when leave is taken back`() throws {
        #expect(try bob(alice: "o--b--u--f", leave: "j?+--l---!", bob: "c---------") == "o--b--u---")
        #expect(try bob(alice: "o--b--u--f", leave: "j?+--!---l", bob: "c---------") == "o--b--u---")
    }

    @Test func `is nothing for the blocked, whatever else holds, until they are not`() throws {
        #expect(try bob(alice: "o--b--u-f-", leave: "j?+-#---=-", bob: "c---------") == "o--b----f-")
        #expect(try bob(alice: "o-b-u-f---", leave: "#?-=-?+---", bob: "c---------") == "------f---")
    }

    @Test func `of a hidden user is what it is of one who is offline`() throws {
        for away in ["h", "n"] {
            let alice = "o-\(away)-a-\(away)-o-"
            #expect(try bob(alice: alice, leave: "?+--------", bob: "c---------") == "-ox-----o-", "\(away)")
        }
    }

    @Test func `follows idleness and absence`() throws {
        #expect(
            try bob(alice: "o-------a-x--", leave: "?+-----------", bob: "c------------", each: .minutes(1))
                == "-o---u--o--x-")
    }

    @Test func `follows the policy of the one asked`() throws {
        let drawings: [(ListPolicy, leave: String, sight: String)] = [
            (.ask, "--?----+--", "-------u--"),
            (.acceptAll, "--?-------", "--b---u---"),
            (.denyAll, "--?----+--", "----------"),
            // Without a room she is asked; with one Bob may see her, also when it is gone.
            (.acceptSharedRoom, "--?----+--", "-------u--"),
            (.acceptSharedRoom, "-j?l------", "-ob---u---"),
        ]
        for (policy, leave, sight) in drawings {
            var configuration = PresenceEngine.Configuration()
            configuration.listPolicy = policy
            #expect(try bob(alice: "o-b---u---", leave: leave, bob: "c---------", configuration) == sight, "\(policy)")
        }
    }
}
