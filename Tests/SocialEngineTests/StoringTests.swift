import PresenceModel
import Testing

@testable import SocialEngine

struct `What is not on disk` {
    @Test func `is neither true nor told nor shown`() {
        var bench = SocialBench()
        bench.heartbeat("bob", on: 1)
        let (ann, news) = (bench.subscribePresence("ann", on: 2), bench.subscribeNews("ann", on: 2))
        bench.act("ann", .request(message: nil), "bob")
        #expect(bench.told(news) == [">request bob"])
        bench.holdsStores = true
        let ticket = bench.ask { .actionAsked($0, .accept, by: address("bob"), towards: address("ann")) }
        #expect(bench.answers[ticket] == nil && bench.engine.friends(of: address("ann")).isEmpty)
        #expect(bench.told(news).isEmpty && bench.seen(ann).isEmpty && bench.rooms.isEmpty)
        bench.settle()
        #expect(bench.told(news) == ["<accept bob"] && bench.seen(ann) == ["bob:online"])
        #expect(bench.rooms.count == 1)
    }

    @Test func `and never will be is refused, and nothing happened`() {
        var bench = SocialBench()
        let news = bench.subscribeNews("bob", on: 1)
        bench.holdsStores = true
        let first = bench.ask { .actionAsked($0, .request(message: nil), by: address("ann"), towards: address("bob")) }
        let second = bench.ask { .actionAsked($0, .accept, by: address("bob"), towards: address("ann")) }
        let (id, _) = bench.stores.removeFirst()
        bench.submit(.storeFailed(id))
        #expect(bench.answers[first] == .refused(.notStored))
        #expect(bench.answers[second] == .refused(.unknownPair))
        #expect(bench.told(news).isEmpty && bench.engine.counts.changes == 0)
        let privacy = bench.ask { .privacyAsked($0, address("ann"), .hidden) }
        bench.settle(failing: true)
        #expect(bench.answers[privacy] == .refused(.notStored))
        #expect(bench.engine.settings(of: address("ann")).privacy == .full)
    }

    @Test func `and nobody waits for is tried again`() {
        var bench = SocialBench()
        bench.befriend("ann", "bob")
        bench.holdsStores = true
        bench.submit(.roomMade(pair("ann", "bob"), room("r")))
        bench.settle(failing: true)
        #expect(bench.engine.friendship(of: pair("ann", "bob")).room == nil)
        bench.advance(by: .seconds(5))
        bench.settle()
        #expect(bench.engine.friendship(of: pair("ann", "bob")).room == room("r"))
        #expect(bench.engine.counts.changes == 0 && bench.engine.nextDeadline == nil)
    }

    @Test func `holds up nobody else`() {
        var bench = SocialBench()
        bench.holdsStores = true
        bench.act("ann", .request(message: nil), "bob")
        let other = bench.ask { .actionAsked($0, .request(message: nil), by: address("ann"), towards: address("cyd")) }
        let (id, _) = bench.stores.removeLast()
        bench.submit(.stored(id))
        guard case .acted? = bench.answers[other] else {
            Issue.record("held up: \(String(describing: bench.answers[other]))")
            return
        }
    }
}
