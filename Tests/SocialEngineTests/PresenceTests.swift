import PresenceModel
import Testing

@testable import SocialEngine

struct `Friends in the world` {
    private func friends(_ adjust: (inout SocialEngine.Configuration) -> Void = { _ in }) -> SocialBench {
        var bench = SocialBench {
            $0.makesRooms = false
            adjust(&$0)
        }
        bench.befriend("ann", "bob")
        return bench
    }

    @Test func `are shown first as they are, then as they change`() {
        var bench = friends()
        bench.heartbeat("bob", on: 1, parcel(1, 2))
        let ann = bench.subscribePresence("ann", on: 2)
        #expect(bench.seen(ann) == ["*bob:online@1,2"])
        bench.heartbeat("bob", on: 1, parcel(1, 2))
        bench.heartbeat("bob", on: 1)
        #expect(bench.seen(ann).isEmpty)
        bench.heartbeat("bob", on: 1, parcel(1, 3))
        #expect(bench.seen(ann) == ["bob:online@1,3"])
        #expect(bench.engine.onlineFriends(of: address("ann")) == [address("bob")])
    }

    @Test func `are shown as nobody where nobody is there, once`() {
        var bench = friends()
        let ann = bench.subscribePresence("ann", on: 2)
        #expect(bench.batches[ann] == [PresenceBatch(sightings: [], isSnapshot: true, hasMore: false)])
        #expect(bench.seen(ann).isEmpty)
    }

    @Test func `are offline two minutes after their last heartbeat`() {
        var bench = friends()
        bench.heartbeat("bob", on: 1, parcel(1, 2))
        let ann = bench.subscribePresence("ann", on: 2)
        bench.advance(by: .seconds(90))
        bench.heartbeat("bob", on: 1)
        bench.advance(by: .milliseconds(119_999))
        #expect(bench.seen(ann) == ["*bob:online@1,2"])
        bench.advance(by: .milliseconds(1))
        #expect(bench.seen(ann) == ["bob:offline"])
        bench.heartbeat("bob", on: 1)
        #expect(bench.seen(ann) == ["bob:online"])
        #expect(bench.comings == ["+bob", "-bob", "+bob"])
    }

    @Test func `are offline ten seconds after their last session ended, and not if they are back by then`() {
        var bench = friends()
        bench.heartbeat("bob", on: 1, parcel(1, 2))
        bench.heartbeat("bob", on: 3, parcel(5, 6))
        let ann = bench.subscribePresence("ann", on: 2)
        bench.end(3)
        bench.advance(by: .seconds(60))
        bench.end(1)
        bench.advance(by: .seconds(9))
        bench.heartbeat("bob", on: 4)
        bench.advance(by: .seconds(60))
        #expect(bench.seen(ann) == ["*bob:online@5,6"])
        bench.end(4)
        bench.advance(by: .seconds(10))
        #expect(bench.seen(ann) == ["bob:offline"])
    }

    @Test func `on several sessions are where the latest one says, and away only if all are`() {
        var bench = friends()
        bench.heartbeat("bob", on: 1, parcel(1, 1))
        let ann = bench.subscribePresence("ann", on: 2)
        #expect(bench.seen(ann) == ["*bob:online@1,1"])
        bench.submit(.heartbeatReceived(address("bob"), SocialSessionID(3), isAway: true, parcel(2, 2)))
        #expect(bench.seen(ann) == ["bob:online@2,2"])
        bench.submit(.heartbeatReceived(address("bob"), SocialSessionID(1), isAway: true, nil))
        #expect(bench.seen(ann) == ["bob:away@2,2"])
        #expect(bench.engine.onlineFriends(of: address("ann")) == [address("bob")])
    }

    @Test func `are gone at once when their session says so, and others of it stay`() {
        var bench = friends()
        bench.befriend("ann", "cyd")
        for user in ["bob", "cyd"] { bench.heartbeat(user, on: 1, parcel(1, 1)) }
        bench.heartbeat("cyd", on: 3)
        let ann = bench.subscribePresence("ann", on: 2)
        #expect(bench.seen(ann) == ["*bob:online@1,1", "*cyd:online@1,1"])
        bench.submit(.sessionLeft(address("bob"), SocialSessionID(3)))
        #expect(bench.seen(ann).isEmpty)
        bench.submit(.sessionLeft(address("bob"), SocialSessionID(1)))
        #expect(bench.seen(ann) == ["bob:offline"])
        bench.submit(.sessionLeft(address("cyd"), SocialSessionID(1)))
        #expect(bench.seen(ann).isEmpty)
        bench.end(3)
        bench.advance(by: .seconds(10))
        #expect(bench.seen(ann) == ["cyd:offline"])
        #expect(bench.comings == ["+bob", "+cyd", "-bob", "-cyd"])
    }

    @Test func `held by the bridge are seen online, and are not in the world`() {
        var bench = friends()
        let ann = bench.subscribePresence("ann", on: 2)
        bench.submit(.heartbeatReceived(address("bob"), .bridge, isAway: true, parcel(1, 1)))
        #expect(bench.seen(ann) == ["bob:away@1,1"] && bench.comings.isEmpty)
        #expect(bench.engine.counts.present == 0)
        bench.heartbeat("bob", on: 1, parcel(2, 2))
        #expect(bench.seen(ann) == ["bob:online@2,2"] && bench.comings == ["+bob"])
        bench.end(1)
        bench.advance(by: .seconds(10))
        #expect(bench.seen(ann) == ["bob:away@2,2"] && bench.comings == ["+bob", "-bob"])
        bench.submit(.sessionLeft(address("bob"), .bridge))
        #expect(bench.seen(ann) == ["bob:offline"] && bench.comings == ["+bob", "-bob"])
    }

    @Test func `on one connection of many users come and go with it`() {
        var bench = SocialBench { $0.makesRooms = false }
        bench.befriend("ann", "bob")
        bench.befriend("ann", "cyd")
        bench.heartbeat("bob", on: 1)
        bench.heartbeat("cyd", on: 1)
        let ann = bench.subscribePresence("ann", on: 2)
        bench.end(1)
        bench.advance(by: .seconds(10))
        #expect(bench.seen(ann) == ["*bob:online", "*cyd:online", "bob:offline", "cyd:offline"])
    }

    @Test func `are shown as soon as they are friends, and no longer`() {
        var bench = SocialBench { $0.makesRooms = false }
        bench.heartbeat("bob", on: 1, parcel(1, 2))
        bench.heartbeat("ann", on: 2)
        let (ann, bob) = (bench.subscribePresence("ann", on: 2), bench.subscribePresence("bob", on: 1))
        bench.act("ann", .request(message: nil), "bob")
        #expect(bench.seen(ann).isEmpty && bench.seen(bob).isEmpty)
        bench.act("bob", .accept, "ann")
        #expect(bench.seen(ann) == ["bob:online@1,2"])
        #expect(bench.seen(bob) == ["ann:online"])
        bench.act("bob", .delete, "ann")
        #expect(bench.seen(ann) == ["bob:offline"])
        #expect(bench.seen(bob) == ["ann:offline"])
        bench.heartbeat("bob", on: 1, parcel(3, 3))
        #expect(bench.seen(ann).isEmpty)
    }

    @Test func `who block are hidden both ways`() {
        var bench = friends()
        bench.heartbeat("bob", on: 1, parcel(1, 2))
        bench.heartbeat("ann", on: 2)
        let (ann, bob) = (bench.subscribePresence("ann", on: 2), bench.subscribePresence("bob", on: 1))
        bench.act("ann", .block, "bob")
        #expect(bench.seen(ann) == ["*bob:online@1,2", "bob:offline"])
        #expect(bench.seen(bob) == ["*ann:online", "ann:offline"])
        #expect(bench.engine.onlineFriends(of: address("bob")).isEmpty)
        bench.act("ann", .unblock, "bob")
        #expect(bench.seen(ann).isEmpty && bench.seen(bob).isEmpty)
    }

    @Test func `show what they choose to, from that moment on`() {
        var bench = friends()
        bench.heartbeat("bob", on: 1, parcel(1, 2))
        let ann = bench.subscribePresence("ann", on: 2)
        #expect(bench.seen(ann) == ["*bob:online@1,2"])
        bench.choose("bob", .stateOnly)
        #expect(bench.seen(ann) == ["bob:online"])
        bench.heartbeat("bob", on: 1, parcel(9, 9))
        #expect(bench.seen(ann).isEmpty)
        bench.choose("bob", .hidden)
        #expect(bench.seen(ann) == ["bob:offline"])
        #expect(bench.engine.onlineFriends(of: address("ann")).isEmpty)
        bench.heartbeat("bob", on: 1, parcel(8, 8))
        let later = bench.subscribePresence("ann", on: 3)
        #expect(bench.seen(ann).isEmpty && bench.seen(later).isEmpty)
        bench.choose("bob", .full)
        #expect(bench.seen(ann) == ["bob:online@8,8"])
        #expect(bench.comings == ["+bob"])
    }

    @Test func `who hide elsewhere are hidden here, at once and after a restart`() {
        var bench = friends()
        bench.heartbeat("bob", on: 1)
        let ann = bench.subscribePresence("ann", on: 2)
        #expect(bench.seen(ann) == ["*bob:online"])
        bench.holdsStores = true
        bench.submit(.concealmentChanged(address("bob"), isConcealed: true))
        #expect(bench.seen(ann) == ["bob:offline"])
        bench.settle(failing: true)
        bench.advance(by: .seconds(5))
        bench.settle()
        bench.holdsStores = false
        bench.restart()
        bench.heartbeat("bob", on: 1)
        let again = bench.subscribePresence("ann", on: 2)
        #expect(bench.seen(again).isEmpty)
        bench.submit(.concealmentChanged(address("bob"), isConcealed: false))
        #expect(bench.seen(again) == ["bob:online"])
    }

    @Test func `come a hundred at a time`() {
        var bench = SocialBench {
            $0.makesRooms = false
            $0.requestsPerHour = 1000
            $0.requestsFromUser = 1000
        }
        for number in 100..<350 {
            bench.befriend("ann", "u\(number)")
            bench.heartbeat("u\(number)", on: UInt64(number))
        }
        let ann = bench.subscribePresence("ann", on: 1, ready: false)
        var sizes: [Int] = []
        var latest: PresenceBatch?
        repeat {
            bench.submit(.subscriberReady(ann))
            latest = bench.batches.removeValue(forKey: ann)?.first
            sizes.append(latest?.sightings.count ?? 0)
        } while latest?.hasMore == true
        #expect(sizes == [100, 100, 50])
        for number in 100..<350 { bench.heartbeat("u\(number)", on: UInt64(number), parcel(1, 1)) }
        let words = bench.seen(ann)
        #expect(words.count == 250 && words.allSatisfy { !$0.hasPrefix("*") })
    }

    @Test func `are the latest of each while nobody takes them`() {
        var bench = friends()
        let ann = bench.subscribePresence("ann", on: 2)
        #expect(bench.seen(ann).isEmpty)
        bench.heartbeat("bob", on: 1, parcel(1, 1))
        for step in Int32(2)...9 { bench.heartbeat("bob", on: 1, parcel(step, 1)) }
        #expect(bench.seen(ann) == ["bob:online@1,1", "bob:online@9,1"])
        bench.heartbeat("bob", on: 1, parcel(1, 1))
        #expect(bench.batches[ann]?.count == 1)
        bench.heartbeat("bob", on: 1, parcel(2, 1))
        bench.heartbeat("bob", on: 1, parcel(1, 1))
        #expect(bench.seen(ann) == ["bob:online@1,1"])
    }
}

struct `Rooms of friendships` {
    @Test func `are wanted once, told to both, and kept when the friendship ends`() {
        var bench = SocialBench()
        let (ann, bob) = (bench.subscribeNews("ann", on: 1), bench.subscribeNews("bob", on: 2))
        bench.act("ann", .request(message: nil), "bob")
        #expect(bench.rooms.isEmpty)
        bench.act("bob", .accept, "ann")
        #expect(bench.rooms == [pair("ann", "bob")])
        bench.submit(.roomMade(pair("ann", "bob"), room("r")))
        #expect(bench.told(ann) == [">request bob", "<accept bob", "room bob !r:x"])
        #expect(bench.told(bob) == ["<request ann", ">accept ann", "room ann !r:x"])
        bench.act("ann", .delete, "bob")
        bench.restart()
        let later = bench.subscribeNews("ann", on: 1)
        bench.befriend("ann", "bob")
        #expect(bench.told(later) == [">request bob", "<accept bob", "room bob !r:x"])
        #expect(bench.rooms == [pair("ann", "bob")])
    }

    @Test func `are asked for again with growing patience, and after a restart at once`() {
        var bench = SocialBench()
        bench.befriend("ann", "bob")
        var waits: [Int64] = []
        for _ in 0..<9 {
            bench.submit(.roomFailed(pair("ann", "bob")))
            let asked = bench.rooms.count
            let next = bench.engine.nextDeadline ?? .epoch
            waits.append(next.milliseconds(since: bench.now) / 1000)
            bench.advance(by: next - bench.now)
            #expect(bench.rooms.count == asked + 1)
        }
        #expect(waits == [5, 10, 20, 40, 80, 160, 320, 600, 600])
        bench.restart()
        #expect(bench.rooms.count == 11)
        bench.submit(.roomMade(pair("ann", "bob"), room("r")))
        bench.restart()
        #expect(bench.rooms.count == 11)
    }

    @Test func `are not wanted of friends who parted meanwhile, and not twice of those who are friends again`() {
        var bench = SocialBench()
        bench.befriend("ann", "bob")
        bench.act("ann", .delete, "bob")
        bench.submit(.roomFailed(pair("ann", "bob")))
        #expect(bench.engine.nextDeadline == nil)
        bench.befriend("ann", "bob")
        bench.act("ann", .delete, "bob")
        bench.befriend("ann", "bob")
        #expect(bench.rooms.count == 2)
        bench.submit(.roomMade(pair("ann", "bob"), room("r")))
        #expect(bench.engine.friendship(of: pair("ann", "bob")).room == room("r"))
    }

    @Test func `stay what they are when a second one comes`() {
        var bench = SocialBench()
        bench.befriend("ann", "bob")
        bench.submit(.roomMade(pair("ann", "bob"), room("r")))
        bench.submit(.roomMade(pair("ann", "bob"), room("a")))
        bench.submit(.roomMade(pair("ann", "zoe"), room("z")))
        #expect(bench.engine.friendship(of: pair("ann", "bob")).room == room("r"))
    }
}
