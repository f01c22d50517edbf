import PresenceModel
import Testing

@testable import presenced

@Suite struct AmountsTests {
    @Test(arguments: [
        ("0s", 0), ("500ms", 500), ("30s", 30_000), ("65m", 3_900_000), ("1h", 3_600_000), ("7d", 604_800_000),
    ])
    func `a duration is read and written alike`(text: String, milliseconds: Int64) {
        #expect(DurationText.parse(text) == .milliseconds(milliseconds))
        #expect(DurationText.write(.milliseconds(milliseconds)) == text)
    }

    @Test func `a duration is written in the largest unit without a fraction`() {
        #expect(DurationText.write(.hours(168)) == "7d")
        #expect(DurationText.write(.seconds(90)) == "90s")
        #expect(DurationText.parse("168h") == DurationText.parse("7d"))
    }

    @Test(arguments: [
        "", "10", "s", "-1s", "1.5s", "10 s", "1h30m", "10S", "٣s", "99999999999999999999s", "999999999999d",
    ])
    func `what is not a duration is refused`(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(arguments: [("0", 0), ("1500", 1500), ("64KiB", 65536), ("8MiB", 8_388_608), ("1GiB", 1_073_741_824)])
    func `a size is read and written alike`(text: String, bytes: Int) {
        #expect(SizeText.parse(text) == bytes)
        #expect(SizeText.write(bytes) == text)
    }

    @Test(arguments: ["", "KiB", "-1", "1KB", "1.5MiB", "1 KiB", "9999999999GiB", "99999999999999999999"])
    func `what is not a size is refused`(text: String) {
        #expect(SizeText.parse(text) == nil)
    }

    @Test(arguments: ["127.0.0.1:8008", "[::1]:0", "matrix.example.org:65535"])
    func `an address is read and written alike`(text: String) {
        #expect(NetworkAddress(parsing: text)?.description == text)
    }

    @Test(arguments: [
        "", ":80", "host", "host:", "host:65536", "host:-1", "host:+1", "::1:80", "[]:80", "[x]:1", "a b:1",
    ])
    func `what is not an address is refused`(text: String) {
        #expect(NetworkAddress(parsing: text) == nil)
    }

    @Test(arguments: [("listen", "listen", 0), ("lissen", "listen", 1), ("lisetn", "listen", 1), ("", "abc", 3)])
    func `a swap of neighbours is one change`(left: String, right: String, distance: Int) {
        #expect(NearestName.distance(left, right) == distance)
    }
}
