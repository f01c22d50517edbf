import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `What a sync says of its device` {
    @Test func `unavailable makes the device idle at once, and online afterwards is activity`() throws {
        #expect(try drawn(["phone": "ozz--"], each: .seconds(10)) == "ou---")
        #expect(try drawn(["phone": "oz-y-"], each: .seconds(10)) == "ou-o-")
        #expect(try drawn(["phone": "o-z-y------"], each: .minutes(1)) == "o-u-o----u-")
    }

    @Test func `online without idleness is no activity`() throws {
        #expect(try drawn(["phone": "oyyyyyyy"], each: .minutes(1)) == "o----u--")
    }

    @Test func `offline does not touch presence`() throws {
        #expect(try drawn(["phone": "tgg-"], each: .seconds(10)) == "----")
        #expect(try drawn(["phone": "o-g-"], each: .seconds(10)) == "o---")
        // It does not keep a device connected either.
        #expect(try drawn(["phone": "sg-g-g"], each: .seconds(10)) == "o--x--")
    }

    @Test func `a device that begins idle does not make its user online`() throws {
        #expect(try drawn(["phone": "v--a--"], each: .seconds(10)) == "u--o--")
    }

    @Test func `one device's idleness is not another's`() throws {
        #expect(try drawn(["phone": "oz--", "watch": "o--z"], each: .seconds(10)) == "o--u")
    }
}

@Suite struct `A device that reports its idleness` {
    @Test func `says so once, and activity ends it`() throws {
        #expect(try drawn(["phone": "oi----a-"], each: .seconds(10)) == "ou----o-")
    }

    @Test func `cancels it by a report, or by taking the report back`() throws {
        #expect(try drawn(["phone": "oi-e"], each: .seconds(10)) == "ou-o")
        #expect(try drawn(["phone": "oi-w"], each: .seconds(10)) == "ou-o")
    }

    @Test func `is idle whatever its syncs say`() throws {
        #expect(try drawn(["phone": "oi-y-"], each: .seconds(10)) == "ou---")
        #expect(try drawn(["phone": "ozi-y"], each: .seconds(10)) == "ou---")
        #expect(try drawn(["phone": "oizy-"], each: .seconds(10)) == "ou---")
    }

    @Test func `is as old as it says, but never older than what was seen`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.perform(.deviceReported(try device("alice"), DeviceReport(idleness: .idle(milliseconds: 600_000))))
        #expect(bench.presence(of: alice)?.lastActive == bench.now + .minutes(-10))
        #expect(bench.state(of: alice) == .unavailable)
        bench.perform(.deviceActed(try device("alice")))
        let active = bench.now
        bench.pass(.seconds(10))
        bench.perform(.deviceReported(try device("alice"), DeviceReport(idleness: .idle(milliseconds: 600_000))))
        #expect(bench.presence(of: alice)?.lastActive == active)
        // It goes on from there by itself.
        bench.pass(.seconds(10))
        #expect(bench.engine.devices(of: alice, at: bench.now).first?.idleSince == active)
    }

    @Test func `cannot be idle for less than nothing`() throws {
        var bench = try PresenceBench()
        bench.perform(.deviceReported(try device("alice"), DeviceReport(idleness: .idle(milliseconds: -5))))
        #expect(bench.presence(of: try local("alice"))?.lastActive == bench.now)
    }

    @Test func `is not idle any more when it comes back after it was gone`() throws {
        #expect(try drawn(["phone": "oix---o"], each: .seconds(15)) == "ou--x-o")
    }

    @Test func `the best idle time is the one told`() throws {
        var bench = try PresenceBench()
        for (name, minutes) in [("phone", 30), ("watch", 10), ("tablet", 20)] {
            let report = DeviceReport(idleness: .idle(milliseconds: Int64(minutes) * 60_000))
            bench.perform(.deviceReported(try device("alice", name), report))
        }
        #expect(bench.presence(of: try local("alice"))?.lastActive == bench.now + .minutes(-10))
    }
}

@Suite struct `An override` {
    @Test func `goes before choices, syncs and idleness until it is taken away`() throws {
        #expect(try drawn(["phone": "oB-f-u-y-z-k-"], each: .seconds(10)) == "ob---------u-")
        #expect(try drawn(["phone": "oO-------k-"], each: .minutes(1)) == "o----------")
    }

    @Test func `ends when its time is up, and what was chosen meanwhile holds`() throws {
        #expect(try drawn(["phone": "o4---f-"], each: .seconds(10)) == "ob---f-")
        #expect(try drawn(["phone": "o4-f---"], each: .seconds(10)) == "ob---f-")
    }

    @Test func `connects nobody`() throws {
        #expect(try drawn(["phone": "oOx----"], each: .seconds(10)) == "o----x-")
    }

    @Test func `hides`() throws {
        #expect(try drawn(["phone": "o-H-a-k-"], each: .seconds(10)) == "o-x---o-")
        #expect(try drawn(["phone": "o-N-a-k-"], each: .seconds(10)) == "o-x---o-")
    }

    @Test func `brings a text of its own, or leaves the chosen one`() throws {
        var bench = try PresenceBench()
        let (alice, phone) = (try local("alice"), try device("alice"))
        bench.perform(.statusChosen(phone, .online, text: "tea"))
        bench.perform(.overrideSet(phone, PresenceOverride(state: .busy)))
        #expect(bench.presence(of: alice)?.statusText == "tea")
        bench.perform(.overrideSet(phone, PresenceOverride(state: .busy, text: .replaced("in a call"))))
        #expect(bench.presence(of: alice)?.statusText == "in a call")
        bench.perform(.statusChosen(phone, .online, text: "coffee"))
        #expect(bench.presence(of: alice)?.statusText == "in a call")
        bench.perform(.overrideSet(phone, PresenceOverride(state: .busy, text: .replaced(nil))))
        #expect(bench.presence(of: alice)?.statusText == nil)
        bench.perform(.overrideSet(phone, nil))
        #expect(bench.presence(of: alice)?.statusText == "coffee")
        #expect(bench.state(of: alice) == .online)
    }

    @Test func `ends to the millisecond, and is gone from the disk`() throws {
        var bench = try PresenceBench()
        let (alice, phone) = (try local("alice"), try device("alice"))
        _ = bench.listen(on: phone)
        bench.perform(.overrideSet(phone, PresenceOverride(state: .busy, until: bench.now + .minutes(1))))
        bench.pass(.milliseconds(59_999))
        #expect(bench.state(of: alice) == .busy)
        bench.pass(.milliseconds(1))
        #expect(bench.state(of: alice) == .online)
        #expect(bench.saved.statuses.first?.status.override == nil)
    }
}

@Suite struct `The type of a device` {
    private func report(_ type: String) throws -> DeviceReport { DeviceReport(type: try DeviceType(parsing: type)) }

    @Test func `is that of the device in use, as long as it is in use`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.perform(.deviceReported(try device("alice", "desk"), try report("desktop")))
        _ = bench.listen(on: try device("alice", "desk"))
        bench.pass(.seconds(1))
        bench.perform(.deviceReported(try device("alice", "phone"), try report("mobile")))
        _ = bench.listen(on: try device("alice", "phone"))
        #expect(bench.presence(of: alice)?.deviceType?.text == "desktop")
        bench.pass(.minutes(3))
        bench.perform(.deviceActed(try device("alice", "phone")))
        #expect(bench.presence(of: alice)?.deviceType?.text == "desktop")
        bench.pass(.minutes(2))
        #expect(bench.presence(of: alice)?.deviceType?.text == "mobile")
        bench.perform(.deviceActed(try device("alice", "desk")))
        #expect(bench.presence(of: alice)?.deviceType?.text == "mobile")
        bench.perform(.deviceRevoked(try device("alice", "phone")))
        #expect(bench.presence(of: alice)?.deviceType?.text == "desktop")
    }

    @Test func `is not told of who is offline or hidden`() throws {
        var bench = try PresenceBench()
        let alice = try local("alice")
        bench.perform(.deviceReported(try device("alice"), try report("mobile")))
        #expect(bench.presence(of: alice)?.deviceType?.text == "mobile")
        bench.perform(.statusChosen(try device("alice"), .hidden, text: nil))
        #expect(bench.presence(of: alice)?.deviceType == nil)
        bench.perform(.statusChosen(try device("alice"), .online, text: nil))
        #expect(bench.presence(of: alice)?.deviceType?.text == "mobile")
        bench.pass(.minutes(1))
        #expect(bench.presence(of: alice)?.deviceType == nil)
    }

    @Test func `is remembered while the token lives, and forgotten when it is taken back or revoked`() throws {
        var bench = try PresenceBench()
        let (alice, phone) = (try local("alice"), try device("alice"))
        bench.perform(.deviceReported(phone, try report("mobile")))
        bench.pass(.hours(2))
        bench.perform(.deviceSeen(phone))
        #expect(bench.presence(of: alice)?.deviceType?.text == "mobile")
        bench.perform(.deviceReportWithdrawn(phone))
        #expect(bench.presence(of: alice)?.deviceType == nil && bench.saved.deviceTypes.isEmpty)
        bench.perform(.deviceReported(phone, try report("mobile")))
        bench.perform(.deviceRevoked(phone))
        #expect(bench.engine.devices(of: alice, at: bench.now).isEmpty && bench.saved.deviceTypes.isEmpty)
    }

    @Test func `past the bound the one reported longest ago is forgotten`() throws {
        var configuration = PresenceEngine.Configuration()
        configuration.devicesPerUser = 2
        var bench = try PresenceBench(configuration)
        for (name, type) in [("a", "mobile"), ("b", "web"), ("c", "console")] {
            bench.perform(.deviceReported(try device("alice", name), try report(type)))
            bench.pass(.minutes(1))
        }
        #expect(
            bench.engine.devices(of: try local("alice"), at: bench.now).map { $0.type?.text } == ["web", "console"])
        #expect(bench.saved.deviceTypes.count == 2)
    }

    @Test func `a new type is a change worth telling, the same again is not`() throws {
        var bench = try PresenceBench()
        _ = bench.listen(on: try device("alice"))
        bench.perform(.deviceReported(try device("alice"), try report("mobile")))
        let version = bench.engine.version
        #expect(bench.perform(.deviceReported(try device("alice"), try report("mobile"))).isEmpty)
        bench.perform(.deviceReported(try device("alice"), try report("tablet")))
        #expect(bench.engine.version == version + 1)
    }
}
