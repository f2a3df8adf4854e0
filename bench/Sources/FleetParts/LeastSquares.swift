/// The straight line that is nearest to some points.
package enum LeastSquares {
    package static func line(_ points: [(x: Double, y: Double)]) -> (slope: Double, atZero: Double) {
        let count = Double(points.count)
        let meanX = points.reduce(0) { $0 + $1.x } / count
        let meanY = points.reduce(0) { $0 + $1.y } / count
        let spread = points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
        guard spread > 0 else { return (0, meanY) }
        let slope = points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) } / spread
        return (slope, meanY - slope * meanX)
    }
}
