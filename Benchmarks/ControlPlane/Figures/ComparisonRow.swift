// lmcache · SPDX-License-Identifier: Apache-2.0

/// What our figure should reach.
enum Target: Equatable {
    case atMost(Double)
    /// One n-th of the original's figure.
    case atMostShare(of: Double)
    case atLeastTimes(Double)

    func isMet(original: Double?, ours: Double) -> Bool? {
        switch self {
        case .atMost(let limit): ours <= limit
        case .atMostShare(let divisor): original.map { ours * divisor <= $0 }
        case .atLeastTimes(let factor): original.map { ours >= factor * $0 }
        }
    }
}

/// One line of the table.
struct ComparisonRow {
    enum Unit: String {
        case milliseconds = "ms"
        case perSecond = "/s"
        case megabytes = "MB"
        case gigabytesPerSecond = "GB/s"
    }

    let name: String
    let unit: Unit
    let original: Double?
    let ours: Double?
    let target: Target?

    init(_ name: String, unit: Unit, original: Double?, ours: Double?, target: Target? = nil) {
        self.name = name
        self.unit = unit
        self.original = original
        self.ours = ours
        self.target = target
    }

    /// Name, the original's figure, ours, ratio, target, verdict.
    var cells: [String] {
        [
            self.name, self.text(self.original), self.text(self.ours), self.ratioText, self.targetText,
            self.verdictText,
        ]
    }

    private func text(_ value: Double?) -> String {
        guard let value else { return "–" }
        switch self.unit {
        case .milliseconds: return decimal(value, places: value < 10 ? 3 : 1) + " ms"
        case .perSecond: return grouped(Int(value.rounded())) + " /s"
        case .megabytes: return decimal(value, places: 1) + " MB"
        case .gigabytesPerSecond: return decimal(value, places: 2) + " GB/s"
        }
    }

    /// Ours to the original's where more is better, and one n-th of it where less is.
    private var ratioText: String {
        guard let original, let ours, original > 0, ours > 0 else { return "–" }
        switch self.unit {
        case .perSecond: return decimal(ours / original, places: 1) + " x"
        case .gigabytesPerSecond: return decimal(100 * ours / original, places: 0) + " %"
        case .milliseconds, .megabytes: return "1/" + decimal(original / ours, places: 1)
        }
    }

    private var targetText: String {
        switch self.target {
        case nil: ""
        case .atMost(let limit): "≤ " + decimal(limit, places: 0) + " " + self.unit.rawValue
        case .atMostShare(let divisor): "≤ 1/" + decimal(divisor, places: 0)
        case .atLeastTimes(let factor) where factor < 1: "≥ " + decimal(100 * factor, places: 0) + " %"
        case .atLeastTimes(let factor): "≥ " + decimal(factor, places: 0) + " x"
        }
    }

    private var verdictText: String {
        guard let ours, let isMet = self.target?.isMet(original: self.original, ours: ours) else { return "" }
        return isMet ? "met" : "missed"
    }
}

/// A number with a fixed count of decimals.
func decimal(_ value: Double, places: Int) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "–" }
    let scale = (0..<places).reduce(1) { scale, _ in scale * 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard places > 0 else { return sign + String(scaled) }
    let digits = String(scaled % scale)
    return sign + "\(scaled / scale)." + String(repeating: "0", count: places - digits.count) + digits
}

/// A number with commas between thousands.
func grouped(_ number: Int) -> String {
    let digits = Array(String(abs(number)))
    var text = ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return (number < 0 ? "-" : "") + text
}
