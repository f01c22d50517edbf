import FixtureReplay
import MatrixWire
import Testing

struct RecordingTests {
    @Test func `there are recordings`() {
        #expect(Recordings.files.count >= 7)
    }

    @Test(arguments: Recordings.files) func `every line of a recorded file is a record`(file: String) throws {
        let recording = try Recordings.read(file)
        #expect(recording.flaws.isEmpty)
        #expect(!recording.exchanges.isEmpty)
        for exchange in recording.exchanges {
            #expect(exchange.target.hasPrefix("/"))
            #expect(exchange.status == 0 || (200..<600).contains(exchange.status))
            #expect(exchange.beganMilliseconds > 0)
            guard case .bytes(let body) = exchange.body else { continue }
            if let length = exchange.values(of: "content-length").first { #expect(Int(length) == body.count) }
        }
    }

    @Test func `a body that the recorder left out is marked and says why`() throws {
        let exchange = try Recordings.record(
            #"{"t_ms": 1, "method": "PUT", "path": "/x", "request_body": null, "request_body_bytes": 65576, "#
                + #""status": 200, "response_body": {}}"#)
        #expect(exchange.body == .leftOut("the recorder left its body of 65576 bytes out"))
    }

    @Test func `a body that is not UTF-8 comes back byte for byte`() throws {
        let exchange = try Recordings.record(
            #"{"method": "PUT", "path": "/x", "request_headers": [["Content-Length", "4"]], "#
                + #""request_body_raw": "\"\\xff\\xfe\"", "status": 400, "response_body": null}"#)
        #expect(exchange.body == .bytes([0x22, 0xFF, 0xFE, 0x22]))
        let short = try Recordings.record(
            #"{"method": "PUT", "path": "/x", "request_headers": [["Content-Length", "9"]], "#
                + #""request_body_raw": "{}", "status": 400, "response_body": null}"#)
        #expect(short.body == .leftOut("the recorder did not keep its body byte for byte"))
    }

    @Test func `numbers that only Python knows do not sink a line`() throws {
        let exchange = try Recordings.record(
            #"{"method": "PUT", "path": "/NaN", "request_body": {"a": NaN, "b\"NaN": -Infinity}, "status": 400, "#
                + #""response_body": {"error": "NaN"}, "note": "NaN"}"#)
        #expect(exchange.target == "/NaN")
        #expect(exchange.answer?["error"] == "NaN")
        #expect(exchange.note == "NaN")
    }

    @Test func `a bad line is counted and the others are kept`() {
        let good = #"{"method": "GET", "path": "/a", "status": 200, "response_body": null}"#
        let pathless = #"{"method": "GET", "status": 200}"#
        let slashless = #"{"method": "GET", "path": "a", "status": 200}"#
        let lines = [good, "{", pathless, "", slashless, good]
        let recording = Recording(lines: Array(lines.joined(separator: "\n").utf8), file: "f")
        #expect(recording.exchanges.map(\.place.line) == [1, 6])
        #expect(recording.flaws.map(\.place.line) == [2, 3, 5])
        #expect(recording.exchanges.first?.answer == nil)
    }
}
